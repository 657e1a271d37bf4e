// The texts of errors: `call: expected …, got …; cure`, so that the user's call can be put in front of each.
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { describe, expect, it } from 'vitest';
import * as errors from '../bindings/memory/errors.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What stands for a value in a message. */
const VALUE = '◦';

/** A node of a program, as its parser gives it. */
type Node = { readonly type: string; readonly start: number } & Readonly<Record<string, unknown>>;

/** The text of a message, or null where it is none that can be read off. */
function textOf(node: Node | undefined): string | null {
  switch (node?.type) {
    case 'Literal':
      return String(node.value);
    case 'TemplateLiteral':
      return (node.quasis as { value: { cooked: string } }[]).map(({ value }) => value.cooked).join(VALUE);
    case 'BinaryExpression': {
      const [left, right] = [textOf(node.left as Node), textOf(node.right as Node)];
      return left === null && right === null ? null : (left ?? VALUE) + (right ?? VALUE);
    }
    case 'ParenthesizedExpression':
      return textOf(node.expression as Node);
    case 'ConditionalExpression':
      return VALUE;
    default:
      return null;
  }
}

interface Message {
  readonly at: string;
  readonly text: string | null;
}

/** The classes of errors that users may catch. */
const TYPED = new Set([...Object.keys(errors).filter((name) => name.endsWith('Error')), 'DistributedError']);

/** All typed errors that a file makes. */
function messagesOf(file: string): Message[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found: Message[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const item of node) visit(item);
    else if (node !== null && typeof node === 'object') {
      const { type, callee, arguments: given, start } = node as Node;
      if (type === 'NewExpression' && TYPED.has((callee as { name?: string }).name ?? ''))
        found.push({
          at: `${file}:${text.slice(0, start).split('\n').length}`,
          text: textOf((given as Node[])[0]),
        });
      for (const value of Object.values(node)) visit(value);
    }
  };
  visit(parseSync(file, text).program);
  return found;
}

const files = readdirSync(join(ROOT, 'bindings'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).split(sep).join('/'));
const messages = files.flatMap(messagesOf);

/** Texts that another function puts together, in the form. */
const COMPOSED = new Set([
  ...['bindings/signature.ts', 'bindings/io/checkpoint.ts', 'bindings/io/safetensors.ts'],
  ...['bindings/histories.ts', 'bindings/autograd/gradcheck.ts'],
  ...['readers/arrays', 'sources/merges', 'readers/wrong'].map((name) => `bindings/data/${name}.ts`),
  ...['npy', 'open', 'zip'].map((name) => `bindings/io/${name}.ts`),
  'bindings/onnx/tensors.ts',
  'bindings/train/checkpoint.ts',
]);
/** Kernels of TensorFlow.js, whose texts are tfjs's own where its specs and users' programs look for them. */
const FOREIGN = 'bindings/tfjs/kernels/';
/** Why a step is not replayed: the rest of a sentence that accelerate() writes. */
const REASON = /^it ./;
const FORM = new RegExp(`^[\\w.${VALUE}…]+: expected [^]+?, got [^]+$|^${VALUE}$`);

const composed = (text: string, at: string): boolean =>
  COMPOSED.has(at.replace(/:\d+$/, '')) &&
  new RegExp(`^[\\w${VALUE}]+: (expected )?(in ${VALUE} )?${VALUE}`).test(text);

describe('errors', () => {
  it('are found', () => {
    expect(messages.length).toBeGreaterThan(200);
  });

  it('read `call: expected …, got …`', () => {
    const wrong = messages.filter(
      ({ at, text }) =>
        text !== null &&
        !FORM.test(text) &&
        !composed(text, at) &&
        !at.startsWith(FOREIGN) &&
        !(at.startsWith('bindings/tfjs/accelerate/') && REASON.test(text)),
    );
    expect(wrong.map(({ at, text }) => `${at} ${text}`)).toEqual([]);
  });
});

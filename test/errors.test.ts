// The texts of errors: `call: expected …, got …; cure`, so that the user's call can be put in front of each.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
// TypeScript 7 has no parser for programs yet; that of the reference has.
const ts = createRequire(join(ROOT, 'tools/docs/package.json'))('typescript') as typeof import('typescript');
type Node = import('typescript').Node;

/** What stands for a value in a message. */
const VALUE = '◦';

/** The text of a message, or null where it is none that can be read off. */
function textOf(node: Node | undefined): string | null {
  if (!node) return null;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => VALUE + literal.text).join('');
  if (ts.isBinaryExpression(node)) {
    const [left, right] = [textOf(node.left), textOf(node.right)];
    return left === null && right === null ? null : (left ?? VALUE) + (right ?? VALUE);
  }
  if (ts.isParenthesizedExpression(node)) return textOf(node.expression);
  return ts.isConditionalExpression(node) ? VALUE : null;
}

interface Message {
  readonly at: string;
  readonly type: string;
  readonly text: string | null;
}

/** All errors that a file makes. */
function messagesOf(file: string): Message[] {
  const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2022, true);
  const found: Message[] = [];
  const visit = (node: Node): void => {
    if (ts.isNewExpression(node) && /Error$/.test(node.expression.getText())) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push({
        at: `${file}:${line + 1}`,
        type: node.expression.getText(),
        text: textOf(node.arguments?.[0]),
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const files = readdirSync(join(ROOT, 'bindings'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).split(sep).join('/'));
const messages = files.flatMap(messagesOf);

const FORM = new RegExp(`^[\\w.${VALUE}…]+: expected [^]+?, got [^]+$|^${VALUE}$`);

describe('errors', () => {
  it('are found', () => {
    expect(messages.length).toBeGreaterThan(200);
  });

  it('read `call: expected …, got …`', () => {
    const wrong = messages.filter(({ text }) => text !== null && !FORM.test(text));
    expect(wrong.map(({ at, text }) => `${at} ${text}`)).toEqual([]);
  });
});

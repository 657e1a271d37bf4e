// Every public callable of the package: functions, classes, their methods and statics, those of Tensor included, each
// with the signatures that it declares.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';
import * as data from '../../bindings/data/index.ts';
import * as distributed from '../../bindings/distributed/index.ts';
import * as doctor from '../../bindings/doctor/index.ts';
import * as explain from '../../bindings/explain/index.ts';
import { others, overwritten } from '../../bindings/generated/method-list.ts';
import * as retrograd from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';
import * as onnx from '../../bindings/onnx/index.ts';
import { type Signature, signatures } from '../../bindings/signature.ts';
import * as tfjs from '../../bindings/tfjs/index.ts';
import * as train from '../../bindings/train/index.ts';

type Statement = ReturnType<typeof parseSync>['program']['body'][number];
type AnyFunction = (...args: unknown[]) => unknown;
type Class = { new (...args: unknown[]): object; readonly prototype: object; readonly name: string };

/** Something that users call. */
export interface PublicCallable {
  /** As they reach it: `functional.dropout`, `nn.Linear`, `nn.Module.train`, `Tensor.sum`. */
  readonly place: string;
  readonly kind: 'function' | 'class' | 'method' | 'static';
  readonly fn: unknown;
  /** What it takes: one, or one for each of several forms. */
  readonly signatures: readonly Signature[];
  /** Of methods, the class that has it and those that it extends. */
  readonly owners: readonly string[];
  /** Whether it is a method that calls a function with its tensor in front, which is the first argument. */
  readonly derived: boolean;
  /** Calls it. */
  call(args: readonly unknown[]): unknown;
}

const ROOT = fileURLToPath(new URL('../../bindings/', import.meta.url));

/** The index, with all that the entries of its namespaces have. */
export const library = { ...retrograd, data, distributed, doctor, explain, io, onnx, tfjs, train };

/** What `statement` of a file declares that is @internal, private or protected: `name` and `Class.member`. */
function* hiddenIn(statement: Statement, marked: (node: { start: number }) => boolean): Generator<string> {
  const node = 'declaration' in statement && statement.declaration ? statement.declaration : statement;
  if (marked(statement) && 'id' in node && node.id?.type === 'Identifier') yield node.id.name;
  if (node.type !== 'ClassDeclaration') return;
  for (const member of node.body.body) {
    if (!('key' in member) || member.key.type !== 'Identifier') continue;
    const hidden = 'accessibility' in member && (member.accessibility ?? 'public') !== 'public';
    if (hidden || marked(member)) yield `${node.id?.name}.${member.key.name}`;
  }
}

/** `name` and `Class.member` of all that is not for users. */
function hiddenNames(): Set<string> {
  const hidden = new Set<string>();
  for (const file of readdirSync(ROOT, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(ROOT + file, 'utf8');
    const { program, comments } = parseSync(file, text);
    const internal = comments.filter(({ value }) => value.includes('@internal'));
    const marked = ({ start }: { start: number }) =>
      internal.some(({ end }) => end < start && /^\s*$/.test(text.slice(end, start)));
    for (const statement of program.body) for (const name of hiddenIn(statement, marked)) hidden.add(name);
  }
  return hidden;
}

/** What a trainer calls of callbacks, and users do not. */
const HEARD = /^(on[A-Z]\w*|state|loadState)$/;
const heard = (prototype: object): boolean =>
  Object.getOwnPropertyNames(prototype).some((name) => /^on[A-Z]/.test(name));

const isClass = (x: unknown): x is Class => typeof x === 'function' && /^class\b/.test(String(x));
const isNamespace = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && (x as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] === 'Module';

/** A class and those that it extends. */
function chain(type: Class): Class[] {
  const found: Class[] = [];
  for (let owner = type; owner.name; owner = Object.getPrototypeOf(owner)) found.push(owner);
  return found;
}

/** What a method of Tensor calls with its tensor in front. Those in place are made of their functions. */
const functionOf = (name: string): unknown =>
  [...overwritten, ...others].find((fn) => fn.name === name) ??
  signatures.find((each) => name.endsWith('_') && each.path === name && each.fn)?.fn;

/** What declares `fn`: the signatures that it was made of, else those of the first of the paths that has some. */
function signaturesOf(fn: unknown, ...paths: string[]): Signature[] {
  const made = signatures.filter((each) => each.fn === fn);
  if (made.length > 0) return made;
  const open = signatures.filter(({ fn: of }) => of === undefined);
  // A method that a class has anew may take something else than that of the class that it extends.
  const first = paths.find((path) => open.some((each) => each.path === path));
  return open.filter(({ path }) => path === first);
}

/**
 * All public callables.
 * @param receivers what methods of a class are called on, by its name; else it is an object without state
 * @param given objects that functions give, by the names of their types
 */
export function surface(
  receivers: Readonly<Record<string, () => object>> = {},
  given: Readonly<Record<string, object>> = {},
): PublicCallable[] {
  const hidden = hiddenNames();
  const found: PublicCallable[] = [];
  const seen = new Set<unknown>();

  const add = (entry: Omit<PublicCallable, 'derived' | 'owners'> & Partial<PublicCallable>): void => {
    if (seen.has(entry.fn)) return;
    seen.add(entry.fn);
    found.push({ derived: false, owners: [], ...entry });
  };

  function addClass(place: string, type: Class): void {
    add({
      ...{ place, kind: 'class', fn: type, signatures: signaturesOf(type, type.name) },
      call: (args) => new type(...args),
    });
    for (const owner of chain(type)) addMembers(places.get(owner) ?? place, owner, type);
  }

  function addMembers(place: string, owner: Class, type: Class): void {
    for (const [kind, holder] of [
      ['method', owner.prototype],
      ['static', owner],
    ] as const)
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
        if (typeof value !== 'function' || name === 'constructor' || hidden.has(`${owner.name}.${name}`)) continue;
        if (heard(owner.prototype) && HEARD.test(name)) continue;
        const fn = owner === retrograd.Tensor ? functionOf(name) : undefined;
        add({
          ...{ place: `${place}.${name}`, kind, fn: value, derived: fn !== undefined },
          owners: chain(owner).map((each) => each.name),
          signatures: signaturesOf(fn ?? value, ...[type, ...chain(owner)].map((each) => `${each.name}.${name}`)),
          call: (args) =>
            fn
              ? (value as AnyFunction).apply(args[0], args.slice(1))
              : (value as AnyFunction).apply(
                  kind === 'static' ? owner : (receivers[type.name]?.() ?? Object.create(owner.prototype)),
                  [...args],
                ),
        });
      }
  }

  /** Where public classes are; one that is not public is reached by the first that extends it. */
  const places = new Map<Class, string>();
  function place(at: string, names: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(names))
      if (isNamespace(value)) place(`${at}${name}.`, value);
      else if (isClass(value)) places.set(value, at + name);
  }

  function addAll(at: string, names: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(names)) {
      const place = at + name;
      if (isNamespace(value)) addAll(`${place}.`, value);
      else if (hidden.has(name)) continue;
      else if (isClass(value) && value.prototype instanceof Error)
        continue; // made by the library, not by users
      else if (isClass(value)) addClass(place, value);
      else if (typeof value === 'function')
        add({
          ...{ place, kind: 'function', fn: value, signatures: signaturesOf(value, name, place) },
          call: (args) => (value as AnyFunction)(...args),
        });
    }
  }

  place('', library);
  addAll('', library);
  for (const [type, object] of Object.entries(given))
    for (const each of signatures.filter(({ path }) => path.startsWith(`${type}.`))) {
      const fn = (object as Record<string, AnyFunction>)[each.name] as AnyFunction;
      add({
        ...{ place: each.path, kind: 'method', fn, signatures: [each] },
        call: (args) => fn.apply(object, [...args]),
      });
    }
  return found;
}

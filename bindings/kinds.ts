// The kinds of arguments: how they are checked, and how messages call them and what came instead.
import { isCallable } from './memory/errors.ts';

export type Check = (value: unknown) => boolean;
/** Whether a value is of a kind, and what messages call one and several of it. */
export type Kind = readonly [is: Check, one: string, many?: string];

/** The kinds that a text may name. Files whose classes are arguments add theirs. */
export const kinds: Record<string, Kind> = {
  __proto__: null as never,
  any: [(x) => x !== undefined, 'a value'],
  number: [(x) => typeof x === 'number', 'a number', 'numbers'],
  int: [Number.isSafeInteger, 'a whole number', 'whole numbers'],
  bool: [(x) => typeof x === 'boolean', 'true or false'],
  string: [(x) => typeof x === 'string', 'a string', 'strings'],
  function: [isCallable, 'a function', 'functions'],
  object: [(x) => typeof x === 'object' && x !== null && !Array.isArray(x), 'an object', 'objects'],
  null: [(x) => x === null, 'null'],
};

/** Whether a list holds nothing else; unlike every(), which passes over holes, it ends at the first of them. */
function all(list: readonly unknown[], is: Check): boolean {
  for (let i = 0; i < list.length; i++) if (!is(list[i])) return false;
  return true;
}

/** The check of what a text calls a kind. */
export function kindOf(text: string, own?: Readonly<Record<string, Kind>>): Check {
  const either = text.split('|').map((word): Check => {
    if (word.endsWith('[]')) {
      const item = kindOf(word.slice(0, -2), own);
      return (x) => Array.isArray(x) && all(x, item);
    }
    if (word.startsWith("'")) return (x) => x === word.slice(1, -1);
    return ((own?.[word] ?? kinds[word]) as Kind)[0];
  });
  return either.reduceRight((others, is) => (x) => is(x) || others(x));
}

/** `'mean', 'sum' or null`. */
export const orList = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

/** What messages call a kind. */
export const phrase = (text: string, own?: Readonly<Record<string, Kind>>): string =>
  orList(
    text.split('|').map((word) => {
      if (word.startsWith("'")) return word;
      const [, one, many] = (own?.[word.replace('[]', '')] ?? kinds[word.replace(/(\[\])+$/, '')]) as Kind;
      return word.endsWith('[]') ? `a list of ${many ?? one}` : one;
    }),
  );

/** An object literal, of any realm: what options are given in. */
export function isPlain(x: unknown): x is Record<string, unknown> {
  if (typeof x !== 'object' || x === null || Array.isArray(x)) return false;
  const prototype = Object.getPrototypeOf(x);
  if (prototype === Object.prototype || prototype === null) return true;
  // To ask for a prototype takes long, and objects of this realm's classes need no second time.
  return !(x instanceof Object) && Object.getPrototypeOf(prototype) === null;
}

/** Letters that have to be put in, out or in another's place to make `b` of `a`. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++)
    row = row.reduce<number[]>((next, above, j) => {
      next.push(
        j === 0
          ? i
          : Math.min(above + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + +(a[i - 1] !== b[j - 1])),
      );
      return next;
    }, []);
  return row[b.length] as number;
}

/** Other words of the field for options. */
const ALIASES: Readonly<Record<string, string>> = {
  __proto__: null as never,
  learningrate: 'lr',
  axis: 'dim',
  axes: 'dim',
  dims: 'dim',
  rate: 'p',
  l2: 'weightDecay',
  units: 'outFeatures',
  strides: 'stride',
  numthreads: 'threads',
  nthreads: 'threads',
};

const bare = (key: string): string => key.replace(/[_-]/g, '').toLowerCase();

/** Which of `names` was probably meant by `key`. */
export function meant(key: string, names: readonly string[]): string | undefined {
  const own = bare(key);
  const alias = ALIASES[own];
  if (alias && names.includes(alias)) return alias;
  const near = names
    .map((name) => ({ name, far: bare(name).endsWith(own) && own.length > 2 ? 1 : distance(own, bare(name)) }))
    .sort((a, b) => a.far - b.far)[0];
  return near && near.far <= Math.min(2, own.length / 2) ? near.name : undefined;
}

// The text of a signature, read; signature.ts says how it is written. And the types of what callables take.
import { type Check, type Kind, kindOf } from './kinds.ts';

/** One argument of a signature. */
export interface Parameter {
  readonly name: string;
  /** As the text has it. */
  readonly kind: string;
  readonly is: Check;
  readonly required: boolean;
  readonly absent: boolean;
  readonly variadic: boolean;
  /** Of variadic ones: whether there may be none. */
  readonly open: boolean;
  readonly value: unknown;
}

const PARAMETER = /(-|\.{3})?(\w+|\*)(\?)?(?:: ([^=,)]+?))?(?: = (\[[^\]]*\]|[^,)]+))?(?:, |\)$)/g;

/** What a default is: JSON, with single quotes. */
function defaultOf(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  return text.endsWith('Infinity') ? Number(text) : JSON.parse(text.replaceAll("'", '"'));
}

/** The arguments that a text declares; those from `positions` on go by name only. */
export function read(
  text: string,
  own?: Readonly<Record<string, Kind>>,
): { readonly parameters: readonly Parameter[]; readonly positions: number } {
  const parameters: Parameter[] = [];
  let positions = -1;
  for (const [, mark, name = '', open, kind = 'any', given] of text.slice(text.indexOf('(') + 1).matchAll(PARAMETER)) {
    if (name === '*') {
      positions = parameters.length;
      continue;
    }
    const absent = mark === '-';
    const variadic = mark === '...';
    const required = given === undefined && !open && !variadic;
    const value = defaultOf(given);
    const is: Check = absent ? (x) => Object.is(x, value) : kindOf(kind, own);
    parameters.push({ name, kind, required, is, absent, variadic, open: !!open, value });
  }
  return { parameters, positions: positions < 0 ? parameters.length : positions };
}

/** P cut short anywhere; `undefined` is the default. */
export type Front<P extends readonly unknown[]> =
  | { [K in keyof P]: P[K] | undefined }
  | (P extends readonly [...infer Rest, unknown] ? Front<Rest> : never);

/** Positions P cut short anywhere, then options O. */
export type Mixed<P extends readonly unknown[], O> = [...front: Front<P>, options?: O];

/** Some of R by position, and the others with the options O, by their names K. */
export type ByName<R extends readonly unknown[], K extends readonly string[], O> = R extends readonly [
  infer First,
  ...infer Rest,
]
  ? K extends readonly [string, ...infer Names extends readonly string[]]
    ?
        | [
            options: O & {
              [I in keyof K as I extends `${number}` ? K[I] & string : never]: I extends keyof R ? R[I] : never;
            },
          ]
        | [First, ...ByName<Rest, Names, O>]
    : never
  : never;

/** The first of R by position, and of the others those that are not with the options O, by their names. */
export type AfterFirst<R extends readonly unknown[], K extends readonly string[], O> = R extends readonly [
  infer First,
  ...infer Rest,
]
  ? K extends readonly [string, ...infer Names extends readonly string[]]
    ? [First, ...ByName<Rest, Names, O>]
    : never
  : never;

/**
 * The arguments of a constructor or method: required R, then positions P, options O, or both. Where K has the names of
 * R, those may be options too.
 */
export type Arguments<R extends readonly unknown[], P extends readonly unknown[], O, K extends readonly string[] = []> =
  | [...required: R, options?: O]
  | [...R, ...Partial<P>]
  | [...R, ...Mixed<P, O>]
  | ByName<R, K, O>;

/**
 * A function of required arguments R, which takes the others by position as P, as options O, or both. Where K has the
 * names of R, all but the first may be options too.
 */
export interface Callable<
  R extends readonly unknown[],
  P extends readonly unknown[],
  O,
  Y,
  K extends readonly string[] = [],
> {
  (...args: [...required: R, options?: O]): Y;
  (...args: AfterFirst<R, K, O>): Y;
  (...args: [...R, ...Partial<P>]): Y;
  (...args: [...R, ...Mixed<P, O>]): Y;
}

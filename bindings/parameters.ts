// The text of a signature, read; signature.ts says how it is written.
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

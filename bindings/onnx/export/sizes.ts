// Sizes that may depend on what the user calls by a name, such as the batch and the length of texts. A model is traced
// with several values of each, and what differs from trace to trace is a sum of products of them: `2·batch·length + 1`.

/** A size that is not the same for all. */
export interface Moving {
  /** The factor of each product, by the names in it, sorted and joined; '' for the number that stands alone. */
  readonly terms: ReadonlyMap<string, number>;
  /** What it is in the first trace. */
  readonly now: number;
}
export type Size = number | Moving;
export type Sizes = readonly Size[];

/** One size, many times: a list that is longer in some traces. */
export class Repeated {
  readonly item: Size;
  readonly count: Size;

  constructor(item: Size, count: Size) {
    this.item = item;
    this.count = count;
  }
}

/** Numbers of any nesting, as attributes have them, with sizes in their place. */
export type Merged = Size | Repeated | readonly Merged[];

/** The value that each name has in a trace. */
export type Point = Readonly<Record<string, number>>;

export const isMoving = (size: Merged): size is Moving =>
  typeof size === 'object' && !Array.isArray(size) && !(size instanceof Repeated);

/** The size in the first trace. */
export const now = (size: Size): number => (typeof size === 'number' ? size : size.now);

const JOINT = '·';
/** The names in a term. */
export const namesIn = (term: string): string[] => (term === '' ? [] : term.split(JOINT));

function made(terms: ReadonlyMap<string, number>, current: number): Size {
  const left = [...terms].filter(([, factor]) => factor !== 0);
  const moves = left.some(([term]) => term !== '');
  return moves ? { terms: new Map(left), now: current } : (terms.get('') ?? 0);
}

function added(...all: readonly (readonly [string, number])[]): Map<string, number> {
  const terms = new Map<string, number>();
  for (const [term, factor] of all) terms.set(term, (terms.get(term) ?? 0) + factor);
  return terms;
}

const termsOf = (size: Size): readonly (readonly [string, number])[] =>
  typeof size === 'number' ? [['', size]] : [...size.terms];

/** factor · size + more, in whole numbers. */
export function linear(size: Size, factor: number, more: number): Size {
  const scaled = termsOf(size).map(([term, own]) => [term, own * factor] as const);
  return made(added(...scaled, ['', more]), now(size) * factor + more);
}

export const sum = (a: Size, b: Size): Size => made(added(...termsOf(a), ...termsOf(b)), now(a) + now(b));

/** a · b. @returns undefined where a name would be squared */
export function times(a: Size, b: Size): Size | undefined {
  const products = termsOf(a).flatMap(([left, x]) =>
    termsOf(b).map(([right, y]) => {
      const names = [...namesIn(left), ...namesIn(right)].sort();
      return new Set(names).size === names.length ? ([names.join(JOINT), x * y] as const) : undefined;
    }),
  );
  return products.includes(undefined) ? undefined : made(added(...(products as [string, number][])), now(a) * now(b));
}

/** How many times `b` the size `a` is, whatever the names stand for. @returns undefined where that differs */
export function ratio(a: Size, b: Size): number | undefined {
  const factor = now(a) / Math.max(1, now(b));
  return Number.isInteger(factor) && same(a, linear(b, factor, 0)) ? factor : undefined;
}

/** A size as models write it: `2*batch+1`. */
export function textOf(size: Size): string {
  if (typeof size === 'number') return String(size);
  const parts = [...size.terms].sort(([a], [b]) => namesIn(b).length - namesIn(a).length || (a < b ? -1 : 1));
  return parts.reduce((text, [term, factor]) => {
    const names = namesIn(term).join('*');
    const size = Math.abs(factor);
    const part = names === '' ? size : `${size === 1 ? '' : `${size}*`}${names}`;
    return `${text}${factor < 0 ? '-' : text && '+'}${part}`;
  }, '');
}

export const same = (a: Size, b: Size): boolean => textOf(a) === textOf(b);

export const sameSizes = (a: Sizes, b: Sizes): boolean =>
  a.length === b.length && a.every((size, d) => same(size, b[d] as Size));

/** Values of the names that tell sums of products apart: each at two, in all combinations, and one beyond them. */
export function pointsOf(least: Point): Point[] {
  const names = Object.keys(least).sort();
  const grid = Array.from({ length: 2 ** names.length }, (_, i) =>
    Object.fromEntries(names.map((name, bit) => [name, (least[name] as number) + ((i >> bit) & 1)])),
  );
  // What grows otherwise is seen there.
  const beyond = Object.fromEntries(names.map((name, bit) => [name, (least[name] as number) + 3 + bit]));
  return names.length === 0 ? grid : [...grid, beyond];
}

const valueAt = (terms: ReadonlyMap<string, number>, point: Point): number =>
  [...terms].reduce(
    (total, [term, factor]) =>
      total + namesIn(term).reduce((product, name) => product * (point[name] as number), factor),
    0,
  );

/**
 * One number as each trace has it, as a size.
 * @param points that the traces have, as {@link pointsOf} gives them
 * @returns undefined where it grows otherwise
 */
export function sizeFrom(values: readonly number[], points: readonly Point[]): Size | undefined {
  const [first = 0] = values;
  if (values.every((value) => Object.is(value, first))) return first;
  if (!values.every(Number.isSafeInteger)) return undefined;
  const names = Object.keys(points[0] as Point).sort();
  const corners = 2 ** names.length;
  // Factors of products of the steps from the first point, and these as names less their values there.
  const steps = values.slice(0, corners);
  for (let bit = 1; bit < corners; bit *= 2)
    for (let i = 0; i < corners; i++) if (i & bit) (steps[i] as number) -= steps[i ^ bit] as number;
  const terms = new Map<string, number>();
  for (let i = 0; i < corners; i++)
    for (let part = 0; part < corners; part++) {
      if ((part & i) !== part) continue;
      const [kept, others] = [part, i ^ part].map((set) => names.filter((_, bit) => (set >> bit) & 1)) as [
        string[],
        string[],
      ];
      const factor = others.reduce((product, name) => product * -((points[0] as Point)[name] as number), 1);
      const term = kept.join(JOINT);
      terms.set(term, (terms.get(term) ?? 0) + factor * (steps[i] as number));
    }
  return values.every((value, i) => value === valueAt(terms, points[i] as Point)) ? made(terms, first) : undefined;
}

// Sums of products by Einstein's notation, and products over several dims.
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { contract, type Named, ordered, summed, withoutRepeats } from './contract.ts';
import { squeeze } from './shape.ts';

const bad = (what: string, got: string): ArgumentError => new ArgumentError(`einsum: expected ${what}, got ${got}`);

/** A term as names of dims; the dots are `dots` names of their own, the last of them '.0'. */
function namesOf(term: string, dots: number): string[] {
  const names: string[] = term.match(/\.\.\.|[a-zA-Z]/g) ?? [];
  if (names.join('') !== term || names.indexOf('...') !== names.lastIndexOf('...'))
    throw bad("letters and one '...' in a term", `'${term}'`);
  return names.flatMap((name) => (name === '...' ? Array.from({ length: dots }, (_, i) => `.${dots - 1 - i}`) : name));
}

/** How many dims the dots of a term stand for. */
function dotsOf(term: string, { ndim }: Tensor): number {
  const letters = namesOf(term, 0).length;
  const dotted = term.includes('...');
  if (dotted ? letters > ndim : letters !== ndim)
    throw bad(`a letter for each of ${ndim} dims, or '...' for those that have none`, `'${term}'`);
  return ndim - letters;
}

/** The names of the result's dims. */
function resultOf(given: string | undefined, terms: readonly (readonly string[])[], dots: number): string[] {
  const all = terms.flat();
  if (given === undefined) {
    const single = all.filter((name) => !name.startsWith('.') && all.indexOf(name) === all.lastIndexOf(name));
    return [...namesOf('...', dots), ...single.sort()];
  }
  const names = namesOf(given, dots);
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) !== i) throw bad('each letter of the result once', `'${name}' twice`);
    if (!all.includes(name)) throw bad('letters of the operands in the result', `'${name}'`);
  }
  return names;
}

/** The sizes of all names; a dim of size 1 stretches to another's. */
function sizesOf(operands: readonly Named[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { x, names } of operands)
    for (const [d, name] of names.entries()) {
      const [size, known = 1] = [x.sizes[d] as number, sizes.get(name)];
      if (size !== 1 && known !== 1 && size !== known)
        throw new ShapeError(
          `einsum: expected one size for all dims '${name.replace(/\..*/, '...')}', got ${known} and ${size}`,
        );
      sizes.set(name, known === 1 ? size : known);
    }
  return sizes;
}

/** Without the dims of size 1 that stretch to others. */
function unstretched({ x, names }: Named, sizes: ReadonlyMap<string, number>): Named {
  const gone = names.flatMap((name, d) => (x.sizes[d] === sizes.get(name) ? [] : [d]));
  return gone.length === 0 ? { x, names } : { x: squeeze(x, gone), names: names.filter((_, d) => !gone.includes(d)) };
}

/** The names that operands other than these two, or the result, need. */
function needed(operands: readonly Named[], i: number, j: number, result: readonly string[]): Set<string> {
  return new Set([...result, ...operands.flatMap(({ names }, at) => (at === i || at === j ? [] : names))]);
}

/** The two operands whose product is the smallest beside them. */
function nextPair(
  operands: readonly Named[],
  sizes: ReadonlyMap<string, number>,
  result: readonly string[],
): [number, number] {
  let best: [number, number] = [0, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < operands.length; i++)
    for (let j = i + 1; j < operands.length; j++) {
      const keep = needed(operands, i, j, result);
      const [a, b] = [operands[i] as Named, operands[j] as Named];
      const made = [...new Set([...a.names, ...b.names])].filter((name) => keep.has(name));
      const growth = made.reduce((n, name) => n * (sizes.get(name) as number), 1) - a.x.size - b.x.size;
      if (growth < least) [best, least] = [[i, j], growth];
    }
  return best;
}

/**
 * The sum of products of the operands that `equation` says, in Einstein's notation: `einsum('bij,bjk->bik', x, y)`.
 * Each letter is a dim; what the result lacks is summed over, and a letter that comes twice in a term takes the
 * diagonal. '...' stands for dims that have no letters, which broadcast. Without '->' the result has the dims of '...'
 * and then the letters that come once, in alphabetical order. Two operands at a time become one batched product of
 * matrices.
 * @throws ArgumentError, ShapeError
 */
export const einsum = callable<(equation: string, ...operands: Tensor[] | [operands: readonly Tensor[]]) => Tensor>(
  'einsum(equation: string, ...operands: Tensor)',
  (equation: string, operands: readonly Tensor[]): Tensor => {
    const [inputs = '', given, more] = equation.replaceAll(' ', '').split('->');
    const terms = inputs.split(',');
    if (more !== undefined) throw bad("'->' once", `'${equation}'`);
    if (terms.length !== operands.length) throw bad(`one term for each of ${operands.length} operands`, `'${inputs}'`);
    const dots = terms.map((term, i) => dotsOf(term, operands[i] as Tensor));
    const named = terms.map((term, i) => namesOf(term, dots[i] as number));
    const result = resultOf(given, named, Math.max(0, ...dots));
    const single = operands.map((x, i) => withoutRepeats('einsum', { x, names: named[i] as string[] }));
    const sizes = sizesOf(single);
    const left = single.map((each) => unstretched(each, sizes));
    while (left.length > 1) {
      const [i, j] = nextPair(left, sizes, result);
      const [second] = left.splice(j, 1) as [Named];
      left[i] = contract(left[i] as Named, second, needed(left, i, i, result));
    }
    return ordered(summed(left[0] as Named, new Set(result)), result);
  },
);

/** Options of {@link tensordot}. */
export interface TensordotOptions {
  /** How many of the last dims of a and the first of b are summed over; or a list of dims of each. @defaultValue 2 */
  dims?: number | readonly (readonly number[])[];
}

/**
 * The product of a and b, summed over dims of both: the last of a and the first of b, or those that are listed.
 * @returns the other dims of a, then those of b
 * @throws ShapeError, ArgumentError
 */
export const tensordot = callable<
  Callable<
    [a: Tensor, b: Tensor],
    [dims: number | readonly (readonly number[])[]],
    TensordotOptions,
    Tensor,
    ['a', 'b']
  >
>(
  'tensordot(a: Tensor, b: Tensor, dims: int|int[][] = 2, -out = null)',
  (a: Tensor, b: Tensor, dims: number | readonly (readonly number[])[]) => {
    if (typeof dims === 'number' ? dims < 0 || dims > Math.min(a.ndim, b.ndim) : dims.length !== 2)
      throw new ArgumentError(
        `tensordot: expected a number of dims that both have, or a list of dims of each, got ${JSON.stringify(dims)}`,
      );
    const lists =
      typeof dims === 'number'
        ? [Array.from({ length: dims }, (_, i) => a.ndim - dims + i), Array.from({ length: dims }, (_, i) => i)]
        : dims;
    const [ofA, ofB] = lists.map((list, i) =>
      list.map((dim) => normalizeDim('tensordot', dim, (i === 0 ? a : b).ndim)),
    ) as [number[], number[]];
    if (new Set(ofA).size !== ofA.length || new Set(ofB).size !== ofB.length)
      throw new ShapeError(`tensordot: expected each dim once, got ${JSON.stringify(dims)}`);
    if (ofA.length !== ofB.length || ofA.some((d, i) => a.sizes[d] !== b.sizes[ofB[i] as number]))
      throw new ShapeError(
        `tensordot: expected dims of the same sizes, got ${formatShape(ofA)} of ${formatShape(a.sizes)} and ${formatShape(ofB)} of ${formatShape(b.sizes)}`,
      );
    const names = (x: Tensor, list: readonly number[], own: string) =>
      x.sizes.map((_, d) => (list.includes(d) ? `${list.indexOf(d)}` : own + d));
    const [p, q] = [names(a, ofA, 'a'), names(b, ofB, 'b')];
    const keep = [...p.filter((name) => name.startsWith('a')), ...q.filter((name) => name.startsWith('b'))];
    return ordered(contract({ x: a, names: p }, { x: b, names: q }, new Set(keep)), keep);
  },
);

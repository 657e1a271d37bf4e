// Einstein sums of one tensor or two: a product of matrices between copies in the order that it needs, if any.
import { ArgumentError, ShapeError } from '../../memory/errors.ts';
import { loopDims } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Info } from '../engine.ts';
import { F, type Family, listRow } from '../row.ts';
import { multiply } from './matmul.ts';
import { sumOver } from './reduce.ts';
import { gathered } from './shape.ts';

/** A tensor, and what the equation calls each of its dims. */
interface Term {
  readonly x: Info;
  readonly labels: readonly string[];
}

interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly out: readonly string[];
  /** The size of each label. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** @throws ArgumentError, ShapeError for an equation that tfjs refuses too, or other tensors than it has */
function parse(text: string, list: readonly Info[]): Equation {
  // In tfjs's words, which programs may look for.
  const wrong = (what: string): never => {
    throw new ArgumentError(what);
  };
  const equation = text.replace(/\s/g, '');
  const sides = equation.split('->');
  if (sides.length < 2) wrong('Equations without an arrow are not supported.');
  if (sides.length > 2) wrong('Equation must contain exactly one arrow ("->").');
  const [left, right] = sides as [string, string];
  if (left.includes('...')) wrong('The ellipsis notation ("...") is not supported yet.');
  const terms = left.split(',').map((term) => [...term]);
  if (terms.length !== list.length) wrong(`Expected ${terms.length} input tensors, received ${list.length}`);
  if (terms.length > 2) wrong('Support for more than 2 input tensors is not implemented yet.');
  const sizes: Record<string, number> = {};
  for (const [i, labels] of terms.entries()) {
    const { shape } = list[i] as Info;
    if (new Set(labels).size !== labels.length)
      wrong(
        `Found duplicate axes in input component ${labels.join('')}. Support for duplicate axes in input is not implemented yet.`,
      );
    if (labels.length !== shape.length)
      throw new ShapeError(`einsum: expected ${labels.length} dims for '${labels.join('')}', got shape [${shape}]`);
    for (const [d, label] of labels.entries()) {
      const size = sizes[label] ?? (shape[d] as number);
      if (size !== shape[d])
        throw new ShapeError(
          `einsum: Expected dimension ${size} at axis ${d} of input shaped ${JSON.stringify(shape)}, but got dimension ${shape[d]}`,
        );
      sizes[label] = size;
    }
  }
  const out = [...right];
  for (const label of out)
    if (!Object.hasOwn(sizes, label))
      wrong(`Output subscripts contain the label ${label} not present in the input subscripts.`);
  return { terms, out, sizes };
}

/** A term with its dims in another order: itself where they are in it, else a copy. */
function ordered(backend: Backend, { x, labels }: Term, order: readonly string[]): Info {
  const places = order.map((label) => labels.indexOf(label));
  if (places.every((place, d) => place === d)) return x;
  const steps = contiguousStrides(x.shape);
  const shape = places.map((d) => x.shape[d] as number);
  return gathered(
    backend,
    x,
    0,
    shape,
    places.map((d) => steps[d] as number),
  );
}

/** Sums up the labels of a term that nobody else has. */
function reduced(backend: Backend, { x, labels }: Term, keep: (label: string) => boolean): Term {
  const gone = labels.flatMap((label, d) => (keep(label) ? [] : [d]));
  if (gone.length === 0) return { x, labels };
  return { x: sumOver(backend, x, gone), labels: labels.filter(keep) };
}

/** Products of elements, without a sum. */
function multiplied(backend: Backend, a: Term, b: Term, out: readonly string[], shape: readonly number[]): Info {
  const y = backend.make(shape, 'float32');
  const strides = ({ x, labels }: Term): number[] => {
    const steps = contiguousStrides(x.shape);
    return out.map((label) => steps[labels.indexOf(label)] ?? 0);
  };
  if (y.dataId.size === 0) return y;
  const dims = loopDims(shape, strides(a), strides(b));
  backend.kernels.mul_forward_f32({ y: y.dataId, a: backend.at(a.x), b: backend.at(b.x), dims });
  return y;
}

/** The product over the labels `inner` that both have and the result has not. */
function contracted(backend: Backend, a: Term, b: Term, out: readonly string[], inner: readonly string[]): Term {
  const batch = out.filter((label) => a.labels.includes(label) && b.labels.includes(label));
  const only = (term: Term): string[] => out.filter((label) => term.labels.includes(label) && !batch.includes(label));
  const [left, right] = [only(a), only(b)];
  // A transpose is read as it lies.
  const lies = ({ labels }: Term, order: readonly string[]): boolean => order.every((label, d) => labels[d] === label);
  const aTurned = lies(a, [...batch, ...inner, ...left]);
  const bTurned = lies(b, [...batch, ...right, ...inner]);
  const x = ordered(backend, a, aTurned ? [...batch, ...inner, ...left] : [...batch, ...left, ...inner]);
  const w = ordered(backend, b, bTurned ? [...batch, ...right, ...inner] : [...batch, ...inner, ...right]);
  const sizeOf = ({ x: { shape }, labels }: Term, of: readonly string[]): number =>
    of.reduce((n, label) => n * (shape[labels.indexOf(label)] as number), 1);
  const [batches, m, k, n] = [sizeOf(a, batch), sizeOf(a, left), sizeOf(a, inner), sizeOf(b, right)];
  const labels = [...batch, ...left, ...right];
  const term = (label: string): Term => (a.labels.includes(label) ? a : b);
  const c = backend.make(
    labels.map((label) => sizeOf(term(label), [label])),
    'float32',
  );
  const product = {
    ...{ a: backend.at(x), b: backend.at(w), m, k, n, batch: [batches], aBatch: [m * k], bBatch: [k * n] },
    ...{ aRow: aTurned ? 1 : k, aCol: aTurned ? m : 1, bRow: bTurned ? 1 : n, bCol: bTurned ? k : 1 },
  };
  multiply(backend, product, c.dataId, null, 0);
  return { x: c, labels };
}

/** The equation's result, in one of what was made meanwhile, or in one of the inputs. */
function compute(backend: Backend, list: readonly Info[], { terms, out, sizes }: Equation): Info {
  const given = list.map((x, i): Term => ({ x, labels: terms[i] as readonly string[] }));
  const [a, b] = given.map((term, i) =>
    reduced(
      backend,
      term,
      (label) => out.includes(label) || given.some(({ labels }, j) => j !== i && labels.includes(label)),
    ),
  ) as [Term, Term?];
  if (!b) return ordered(backend, a, out);
  const inner = a.labels.filter((label) => b.labels.includes(label) && !out.includes(label));
  const shape = out.map((label) => sizes[label] as number);
  if (inner.length === 0) return multiplied(backend, a, b, out, shape);
  return ordered(backend, contracted(backend, a, b, out, inner), out);
}

export const einsum: Family = {
  kernels: [],
  rows: {
    Einsum: listRow<{ equation: string }>(
      F,
      (backend, list, { equation }) => {
        const y = backend.keepingOnly(() => compute(backend, list, parse(equation, list)));
        return list.some(({ dataId }) => dataId === y.dataId) ? backend.share(y, y.shape) : y;
      },
      (list) => list.every(({ shape }) => numelOf(shape) > 0),
    ),
  },
};

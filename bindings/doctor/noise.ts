// How much of a gradient is chance: what the gradients of parts of a batch have in common, and what they do not.
import { withoutTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import * as F from '../functional/functions.ts';
import { stack } from '../functional/shape.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import type { Batch } from './evaluate.ts';
import type { Patient } from './patient.ts';
import { type Form, firstOf, lossOf } from './probe.ts';

/** What a batch says of the gradients of its rows. */
export interface Spread {
  /** How many rows it has. */
  readonly rows: number;
  /** The square of the norm of its gradient. */
  readonly square: number;
  /** The trace of the covariance of the gradients of single rows. */
  readonly trace: number;
  /** The variance of theirs along the gradient of the batch, by the square of its norm. */
  readonly along: number;
}

/** A batch is taken apart into as many. */
const PARTS = 4;

/** Parts that are cut along the first dim say nothing where that is time. */
const isBySteps = (module: object): boolean => (module as { batchFirst?: boolean }).batchFirst === false;

/** The products of the gradients of parts with each other, [parts, parts]. */
function productsOf(patient: Patient, loss: unknown, [x, y]: Batch, form: Form, size: number): number[][] | null {
  const xs = patient.known().flatMap(({ x: weight, group }) => (group && weight.requiresGrad ? [weight] : []));
  const parts: (readonly (Tensor | null)[])[] = [];
  for (let at = 0; at < PARTS; at++) {
    const [input, target] = [x, y].map((whole) => whole.detach().narrow(0, at * size, size)) as [Tensor, Tensor];
    const value = lossOf(loss, firstOf(patient.run(input)) as Tensor, target, form);
    if (!value?.requiresGrad) return null;
    parts.push(grad(value, xs, { allowUnused: true }));
  }
  return withoutTape(() => {
    const sum = xs.reduce<Tensor | null>((total, _, i) => {
      const each = parts.flatMap((gradients) => gradients[i] ?? []);
      if (each.length < PARTS) return total;
      const rows = F.reshape(stack(each), [PARTS, -1]);
      const products = F.matmul(rows, F.transpose(rows, 0, 1));
      return total ? F.add(total, products) : products;
    }, null);
    return sum && (sum.toArray() as number[][]);
  });
}

/** How the gradients of the rows of a batch spread; null where it cannot be taken apart. */
export function spreadOf(patient: Patient, loss: unknown, batch: Batch, form: Form | null): Spread | null {
  const [x, y] = batch;
  const size = Math.floor((x.sizes[0] ?? 0) / PARTS);
  if (!form || size < 1 || y.sizes[0] !== x.sizes[0] || patient.model.modules().some(isBySteps)) return null;
  let products: number[][] | null = null;
  try {
    products = scope(() => productsOf(patient, loss, batch, form, size));
  } catch {
    // A model that takes batches of one size only, or none so small.
  }
  if (!products) return null;
  const all = products.flat().reduce((a, b) => a + b, 0);
  const own = products.reduce((sum, row, i) => sum + (row[i] as number), 0);
  const square = all / PARTS ** 2;
  // The products of each part with the mean, about their own mean, which is the square.
  const along = products.map((row) => row.reduce((a, b) => a + b, 0) / PARTS - square);
  const variance = along.reduce((sum, each) => sum + each ** 2, 0) / (PARTS - 1);
  return {
    rows: size * PARTS,
    square,
    trace: (size * Math.max(0, own - PARTS * square)) / (PARTS - 1),
    along: (size * variance) / Math.max(1e-30, square),
  };
}

/** How much of the gradients is chance, by Cockpit's measures: see {@link Report.noise}. */
export interface GradientNoise {
  /** How many rows a batch had. */
  readonly batchSize: number;
  /**
   * The gradient noise scale (McCandlish et al. 2018), in rows: a batch of as many has a gradient of which half is
   * chance. Far smaller batches average too little, and far larger ones more than pays.
   */
  readonly scale: number;
  /** The norm test (Byrd et al. 2012): the deviation of the gradient of a batch, by its norm. Above 1 it is chance. */
  readonly normTest: number;
  /** The inner product test (Bollapragada et al. 2018): the deviation along the gradient, by its norm. */
  readonly innerProductTest: number;
  /** The orthogonality test: the deviation across the gradient, by its norm. */
  readonly orthogonalityTest: number;
}

/** What looks at batches come to together: sums of the squares and traces say more than single ratios. */
export function noiseOf(spreads: readonly Spread[]): GradientNoise | null {
  const [first] = spreads;
  if (!first) return null;
  const sum = (of: (spread: Spread) => number): number => spreads.reduce((total, each) => total + of(each), 0);
  const batchSize = sum(({ rows }) => rows) / spreads.length;
  const [trace, along] = [sum((each) => each.trace), sum((each) => each.along)];
  // The gradient of a batch is longer than that of all data, by what is chance in it.
  const signal = Math.max(
    0,
    sum(({ square, trace: own, rows }) => square - own / rows),
  );
  const square = Math.max(1e-30, signal);
  const share = (variance: number): number => Math.sqrt(Math.max(0, variance) / (batchSize * square));
  return {
    batchSize,
    scale: trace / square,
    normTest: share(trace),
    innerProductTest: share(along),
    orthogonalityTest: share(trace - along),
  };
}

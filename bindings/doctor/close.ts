// A close look at a step: the gradient that its batch has by the loss that was declared, beside what the program had.
import { withoutTape } from '../autograd.ts';
import * as F from '../functional/functions.ts';
import { setRngState } from '../random.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { Copies } from './copies.ts';
import { type Batch, evaluate, type Score, taskOf } from './evaluate.ts';
import { type Facts, factsOf } from './facts.ts';
import { type Spread, spreadOf } from './noise.ts';
import type { WatchOptions } from './options.ts';
import type { Patient } from './patient.ts';
import { type Form, pass } from './probe.ts';

/** What the program's gradient is made of: `fresh` times that of its batch, and `old` times that of the step before. */
export interface Fit {
  readonly fresh: number;
  readonly old: number;
  /** The share that neither explains. */
  readonly rest: number;
}

export interface Close {
  readonly step: number;
  readonly facts: Facts;
  readonly form: Form | null;
  /** Whether the declared loss of the model's output is what the program reported. */
  readonly exact: boolean;
  /** How far they are apart, for their size. */
  readonly apart: number;
  readonly fit: Fit | null;
  /** The cosine of the update and the way down. */
  readonly descent: number | null;
  readonly validation: Score | null;
  /** How the gradients of rows spread. */
  readonly spread: Spread | null;
}

/** A state to look at: before a step. */
export interface Before {
  readonly weights: Copies;
  readonly buffers: Copies;
  readonly rng: Int32Array | null;
}

/** Calls `fn` with weights and buffers as they were, and puts back what is. */
export function asBefore<T>(patient: Patient, { weights, buffers, rng }: Before, fn: () => T): T {
  const now = new Copies();
  now.take(patient.weights().map(({ x }) => x));
  try {
    return patient.aside(() => {
      weights.putBack();
      buffers.putBack();
      if (rng) setRngState(rng);
      return fn();
    });
  } finally {
    now.putBack();
    now.clear();
  }
}

const dot = (a: Tensor, b: Tensor): number => F.sum(F.mul(a, b)).item();

function fitOf(
  xs: readonly Tensor[],
  own: (x: Tensor) => Tensor | null,
  fresh: ReadonlyMap<Tensor, Tensor>,
  old: (x: Tensor) => Tensor | null,
): Fit | null {
  let [Gg, Gf, Go, ff, fo, oo] = [0, 0, 0, 0, 0, 0];
  for (const x of xs) {
    const [G, f, o] = [own(x), fresh.get(x), old(x)];
    if (!G || !f) continue;
    Gg += dot(G, G);
    Gf += dot(G, f);
    ff += dot(f, f);
    if (!o) continue;
    Go += dot(G, o);
    fo += dot(f, o);
    oo += dot(o, o);
  }
  if (!(Gg > 0 && ff > 0)) return null;
  const d = ff * oo - fo * fo;
  const both = d > 1e-6 * ff * oo;
  const a = both ? (Gf * oo - Go * fo) / d : Gf / ff;
  const b = both ? (Go * ff - Gf * fo) / d : 0;
  return { fresh: a, old: b, rest: Math.max(0, Gg - a * Gf - b * Go) / Gg };
}

/** The cosine of the last update and the negative gradient. */
function descentOf(
  xs: readonly Tensor[],
  now: Copies,
  before: Copies,
  gradients: ReadonlyMap<Tensor, Tensor>,
): number | null {
  let [uu, ug, gg] = [0, 0, 0];
  for (const x of xs) {
    const [after, was, g] = [now.of(x), before.of(x), gradients.get(x)];
    if (!after || !was || !g) continue;
    const u = F.sub(was, after);
    uu += dot(u, u);
    ug += dot(u, g);
    gg += dot(g, g);
  }
  return uu > 0 && gg > 0 ? ug / Math.sqrt(uu * gg) : null;
}

export interface CloseOptions extends Before {
  readonly step: number;
  readonly reported: number | null;
  readonly batch: Batch;
  /** The program's gradients: those of the step, and those of the step before. */
  readonly own: (x: Tensor) => Tensor | null;
  readonly old: (x: Tensor) => Tensor | null;
  readonly form: Form | null;
  readonly validation: readonly Batch[];
}

/** The rows that are enough to see how good a model is. */
export const few = (batches: readonly Batch[], most: number): Batch[] => {
  let rows = 0;
  return batches.filter(([x]) => {
    const wanted = rows < most;
    rows += x.sizes[0] ?? 0;
    return wanted;
  });
};

export function lookClosely(patient: Patient, { loss }: WatchOptions, options: CloseOptions): Close | null {
  const { step, reported, batch, weights, own, old } = options;
  const now = new Copies();
  const all = patient.weights();
  const xs = all.map(({ x }) => x);
  // What is in no group is not zeroed either.
  const trained = all.flatMap(({ x, group }) => (group ? [x] : []));
  now.take(xs);
  try {
    const look = asBefore(patient, options, () => {
      const seen = pass(patient, loss, batch, reported, options.form);
      const { gradients, ...facts } = factsOf(patient, seen);
      const spread = spreadOf(patient, loss, batch, seen.form);
      return withoutTape(() => ({
        step,
        facts,
        spread,
        form: seen.form,
        exact: seen.exact,
        apart: seen.apart,
        fit: fitOf(trained, own, gradients, old),
        descent: descentOf(xs, now, weights, gradients),
      }));
    });
    const { core, columns } = look.facts.output;
    const task = taskOf(core, columns, batch[1]);
    const score = (batches: readonly Batch[]) =>
      batches.length > 0 ? scope(() => evaluate(patient, loss, look.form, task, few(batches, 256))) : null;
    return { ...look, validation: score(options.validation) };
  } catch {
    return null; // a model that is called in another way
  } finally {
    now.clear();
  }
}

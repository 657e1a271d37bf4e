// One look at a forward pass: which ops ran, in which module, and how the loss is made of the output.
import { withoutTape } from '../autograd.ts';
import { type Made, setWatch, watching } from '../execute.ts';
import * as F from '../functional/functions.ts';
import { oneHot } from '../functional/one-hot.ts';
import type { Bag } from '../ops/core.ts';
import { Tensor } from '../tensor.ts';
import type { LossLike } from './options.ts';
import type { Patient } from './patient.ts';

/** A call of an op. */
export interface Noted {
  readonly op: string;
  /** The path of the innermost module; null: none of the model. */
  readonly path: string | null;
  readonly inputs: Bag;
  readonly outputs: Made;
  readonly attrs: unknown;
}

/** A forward pass. */
export interface Pass {
  /** What the model got. */
  readonly input: Tensor;
  readonly output: Tensor;
  readonly target: Tensor | null;
  readonly loss: Tensor | null;
  /** The ops of the model, in order. */
  readonly calls: readonly Noted[];
  /** Those of the loss. */
  readonly after: readonly Noted[];
  /** What the program seems to do between the model and the loss. */
  readonly form: Form | null;
  /** Whether that gives the loss that was reported. */
  readonly exact: boolean;
  /** How far what it gives is from that, for its size; 0 where nothing was reported. */
  readonly apart: number;
}

/** How to get from the output of a model and a target to what a loss takes. */
export interface Form {
  /** What makes the output another one, beyond its shape: '' is nothing. */
  readonly act: keyof typeof ACTS;
  readonly negated: boolean;
  readonly shape: keyof typeof SHAPES;
}

const lastOf = (x: Tensor): number => x.sizes.at(-1) ?? 1;

/** Shapes that programs give to an output and a target so that they fit. */
const SHAPES = {
  same: (o: Tensor, t: Tensor): [Tensor, Tensor] => [o, t],
  rows: (o: Tensor, t: Tensor): [Tensor, Tensor] => [F.reshape(o, [-1, lastOf(o)]), F.reshape(t, [-1])],
  squeezed: (o: Tensor, t: Tensor): [Tensor, Tensor] => [F.reshape(o, t.sizes), t],
  stretched: (o: Tensor, t: Tensor): [Tensor, Tensor] => [o, F.reshape(t, o.sizes)],
  classes: (o: Tensor, t: Tensor): [Tensor, Tensor] => [F.transpose(o, 1, -1), t],
  numbers: (o: Tensor, t: Tensor): [Tensor, Tensor] => [F.reshape(o, t.sizes), t.to('f32')],
  indices: (o: Tensor, t: Tensor): [Tensor, Tensor] => [o, F.reshape(t, [-1]).to('i32')],
  oneHot: (o: Tensor, t: Tensor): [Tensor, Tensor] => [
    F.reshape(o, [-1, lastOf(o)]),
    oneHot(F.reshape(t, [-1]).to('i32'), lastOf(o)).to('f32'),
  ],
};

/** What a module gives first: an output, or the first of several. */
export function firstOf(result: unknown): Tensor | null {
  if (result instanceof Tensor) return result;
  if (typeof result !== 'object' || result === null) return null;
  for (const value of Object.values(result)) {
    const found: Tensor | null = firstOf(value);
    if (found) return found;
  }
  return null;
}

const ACTS: Readonly<Record<'' | 'softmax' | 'logSoftmax' | 'sigmoid' | 'twice', (o: Tensor) => Tensor>> = {
  '': (o: Tensor) => o,
  softmax: (o: Tensor) => F.softmax(o, o.ndim === 4 ? 1 : -1),
  logSoftmax: (o: Tensor) => F.logSoftmax(o, o.ndim === 4 ? 1 : -1),
  sigmoid: (o: Tensor) => F.sigmoid(o),
  twice: (o: Tensor) => ACTS.logSoftmax(ACTS.softmax(o)),
};

/** The loss of what the form makes of `output`; null where it takes no such thing. */
export function lossOf(loss: unknown, output: Tensor, target: Tensor, form: Form): Tensor | null {
  const like = loss as LossLike;
  try {
    const [o, t] = SHAPES[form.shape](output, target);
    const made = ACTS[form.act](o);
    const value = typeof like === 'function' ? like(made, t) : like.forward(made, t);
    if (!(value instanceof Tensor)) return null;
    const mean = value.size === 1 ? value : F.mean(value);
    return form.negated ? F.neg(mean) : mean;
  } catch {
    return null;
  }
}

/** How far two losses are apart, for their size. */
const apart = (a: number, b: number): number => Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b), 1e-6);
/** As far as other kernels, or a compiled program, may differ. */
const SAME = 1e-4;
const SIMPLE: Form = { act: '', negated: false, shape: 'same' };
const keys = <T extends object>(of: T): (keyof T)[] => Object.keys(of) as (keyof T)[];
/** All ways, the simplest first. */
const FORMS: readonly Form[] = keys(ACTS).flatMap((act) =>
  keys(SHAPES).flatMap((shape) => [false, true].map((negated) => ({ act, shape, negated }))),
);

type Found = Pick<Pass, 'form' | 'exact' | 'apart'>;

/**
 * The way from the output to the reported loss: the simplest that gives it; else the simplest that gives any.
 * @returns it, and whether it gives what was reported
 */
export function formOf(
  loss: unknown,
  output: Tensor,
  target: Tensor,
  reported: number | null,
  known: Form | null = null,
): Found {
  if (!loss) return { form: null, exact: false, apart: 0 };
  return withoutTape(() => {
    let first: Form | null = null;
    let best = { form: SIMPLE, distance: Number.POSITIVE_INFINITY };
    for (const form of known ? [known, ...FORMS] : FORMS) {
      const value = lossOf(loss, output, target, form)?.item();
      if (value === undefined) continue;
      first ??= form;
      if (reported === null) break;
      const distance = apart(value, reported);
      if (distance < 0.5 * best.distance - 1e-7) best = { form, distance };
      if (distance < 2e-6) break;
    }
    const far = reported === null ? 0 : best.distance;
    return best.distance < SAME
      ? { form: best.form, exact: true, apart: far }
      : { form: first, exact: false, apart: far };
  });
}

/** Calls `fn` and notes its ops. */
function noting<T>(patient: Patient, fn: (calls: Noted[]) => T): T {
  const calls: Noted[] = [];
  const paths = patient.modules();
  const before = watching();
  setWatch((op, link, run, { inputs, outputs, attrs }) => {
    run();
    calls.push({ op, path: patient.pathOf(link, paths), inputs, outputs, attrs });
  });
  try {
    return fn(calls);
  } finally {
    setWatch(before);
  }
}

/**
 * Runs the model on a batch, and the loss.
 * @param reported the loss that the program had for it; null: any way from the output to a loss will do
 * @param known the way that was found before
 */
export function pass(
  patient: Patient,
  loss: unknown,
  [input, target]: readonly [Tensor, Tensor | null],
  reported: number | null = null,
  known: Form | null = null,
): Pass {
  return noting(patient, (calls) => {
    const given = input.dtype === 'f32' ? input.detach().requiresGrad_() : input;
    const output = firstOf(patient.run(given)) as Tensor;
    const own = calls.splice(0);
    let found: Found = { form: known, exact: false, apart: 0 };
    if (target && (!known || reported !== null)) found = formOf(loss, output.detach(), target, reported, known);
    calls.length = 0;
    const { form, exact, apart } = known && !found.exact ? { ...found, form: known } : found;
    const value = form && target ? lossOf(loss, output, target, form) : null;
    return { input: given, output, target, loss: value, calls: own, after: [...calls], form, exact, apart };
  });
}

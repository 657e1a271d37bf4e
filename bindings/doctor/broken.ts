// Where the first number came from that is none.
import { withoutTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import * as F from '../functional/functions.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { asBefore, type Before } from './close.ts';
import type { Batch } from './evaluate.ts';
import type { WatchOptions } from './options.ts';
import type { Patient } from './patient.ts';
import { type Noted, pass } from './probe.ts';

/** How a loss became no number. */
export interface Broken {
  readonly step: number;
  /** What had it first: the data, an op in its forward or backward, or none that shows from an earlier state. */
  readonly source: 'input' | 'target' | 'forward' | 'backward' | null;
  readonly op: string;
  readonly path: string | null;
  /** Whether losses had grown before. */
  readonly grown: boolean;
}

/** More batches are not tried. */
const MOST_TRIES = 40;

const hasNumbers = (x: Tensor): boolean =>
  x.dtype !== 'f32' || x.size === 0 || x.block.freed || Number.isFinite(F.sum(F.mul(x.detach(), 0)).item());
const tensorsIn = (bag: Readonly<Record<string, unknown>>): Tensor[] =>
  Object.values(bag).flatMap((x) => (x instanceof Tensor ? [x] : Array.isArray(x) ? (x as Tensor[]) : []));

/** Infinities that masks ask for are no accident: the source makes one of numbers, and spoils the loss. */
function sourceIn(calls: readonly Noted[], loss: Tensor | null): Omit<Broken, 'step' | 'grown'> | null {
  const bad = calls.filter(
    ({ outputs, op }) => !['full', 'maskedFill', 'where'].includes(op) && !tensorsIn(outputs).every(hasNumbers),
  );
  const first = bad.find(({ inputs }) => tensorsIn(inputs).every(hasNumbers));
  if (first && loss && !hasNumbers(loss)) return { source: 'forward', op: first.op, path: first.path };
  return null;
}

function backwardSource(calls: readonly Noted[], loss: Tensor): Omit<Broken, 'step' | 'grown'> | null {
  const made = calls.flatMap((call) =>
    tensorsIn(call.outputs).flatMap((y) => (y.requiresGrad && y.node ? [{ call, y }] : [])),
  );
  const gradients = grad(
    loss,
    made.map(({ y }) => y),
    { allowUnused: true, retainGraph: true },
  );
  for (let i = made.length - 1; i >= 0; i--) {
    const g = gradients[i];
    if (!g || hasNumbers(g)) continue;
    // The op behind it made it of a gradient that is finite.
    const y = (made[i] as { y: Tensor }).y;
    const next = calls.find(({ inputs }) => tensorsIn(inputs).some((x) => x.block === y.block));
    return { source: 'backward', op: next?.op ?? '', path: next?.path ?? null };
  }
  return null;
}

/** What in a pass of a batch makes what is no number; null: nothing does. */
function sourceOf(
  patient: Patient,
  loss: unknown,
  batch: Batch,
  before: Before,
): Omit<Broken, 'step' | 'grown'> | null {
  try {
    return asBefore(patient, before, () => {
      const seen = pass(patient, loss, batch);
      const calls = [...seen.calls, ...seen.after];
      const forward = withoutTape(() => sourceIn(calls, seen.loss));
      if (forward || !seen.loss?.requiresGrad) return forward;
      return backwardSource(calls, seen.loss);
    });
  } catch {
    return null;
  }
}

/**
 * Where it came from, as far as the weights of some steps before show it.
 * @param others batches of which one may have done it, where that of this step did not
 */
export function findBreak(
  patient: Patient,
  { loss }: WatchOptions,
  step: number,
  batch: readonly [Tensor | null, Tensor | null],
  before: Before,
  others: readonly Batch[],
): Omit<Broken, 'grown'> {
  const none = { step, source: null, op: '', path: null };
  const [input, target] = batch;
  const isBad = (x: Tensor | null): boolean => x !== null && withoutTape(() => scope(() => !hasNumbers(x)));
  if (isBad(input)) return { ...none, source: 'input' };
  if (isBad(target)) return { ...none, source: 'target' };
  for (const [x, y] of others) {
    if (isBad(x)) return { ...none, source: 'input' };
    if (isBad(y)) return { ...none, source: 'target' };
  }
  const candidates = input && target ? [[input, target] as const, ...others] : others;
  for (const candidate of candidates.slice(0, MOST_TRIES)) {
    const found = sourceOf(patient, loss, candidate, before);
    if (found) return { ...none, ...found };
  }
  return none;
}

// Where the first number came from that is none.
import { withoutTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import * as F from '../functional/functions.ts';
import { Tensor } from '../tensor.ts';
import { asBefore, type Before } from './close.ts';
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
}

const hasNumbers = (x: Tensor): boolean =>
  x.dtype !== 'f32' || x.size === 0 || x.block.freed || Number.isFinite(F.sum(F.mul(x.detach(), 0)).item());
const tensorsIn = (bag: Readonly<Record<string, unknown>>): Tensor[] =>
  Object.values(bag).flatMap((x) => (x instanceof Tensor ? [x] : Array.isArray(x) ? (x as Tensor[]) : []));

/** Infinities that masks ask for are no accident: the source is an op that makes one of numbers, and spoils the loss. */
function sourceIn(calls: readonly Noted[], loss: Tensor | null): Omit<Broken, 'step'> | null {
  const bad = calls.filter(
    ({ outputs, op }) => !['full', 'maskedFill', 'where'].includes(op) && !tensorsIn(outputs).every(hasNumbers),
  );
  const first = bad.find(({ inputs }) => tensorsIn(inputs).every(hasNumbers));
  if (first && loss && !hasNumbers(loss)) return { source: 'forward', op: first.op, path: first.path };
  return null;
}

function backwardSource(calls: readonly Noted[], loss: Tensor): Omit<Broken, 'step'> | null {
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

export function findBreak(
  patient: Patient,
  { loss }: WatchOptions,
  step: number,
  batch: readonly [Tensor | null, Tensor | null],
  before: Before,
): Broken {
  const none: Broken = { step, source: null, op: '', path: null };
  const [input, target] = batch;
  const isBad = (x: Tensor | null): boolean => x !== null && withoutTape(() => !hasNumbers(x));
  if (isBad(input)) return { ...none, source: 'input' };
  if (isBad(target)) return { ...none, source: 'target' };
  if (!input) return none;
  try {
    const found = asBefore(patient, before, () => {
      const seen = pass(patient, loss, [input, target]);
      const calls = [...seen.calls, ...seen.after];
      const forward = withoutTape(() => sourceIn(calls, seen.loss));
      if (forward || !seen.loss?.requiresGrad) return forward;
      return backwardSource(calls, seen.loss);
    });
    return { ...none, ...found };
  } catch {
    return none;
  }
}

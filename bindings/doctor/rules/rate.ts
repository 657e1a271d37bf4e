// Faults of the length of steps, and numbers that are none.

import { type Evidence, meanOf } from '../evidence.ts';
import type { Said } from '../said.ts';
import { tryRate } from '../trial.ts';

const rateOf = ({ patient }: Evidence): number =>
  (patient.optimizer.paramGroups[0] as { lr?: number } | undefined)?.lr ?? Number.NaN;
const skillOf = ({ train, validation }: Evidence): number => Math.max(train?.skill ?? -1, validation?.skill ?? -1);

export function notFinite({ history, steps }: Evidence): Said | null {
  const { broken } = history;
  if (!broken) return null;
  const { source, path } = broken;
  return {
    id: 'nan-or-inf',
    where: source === 'forward' || source === 'backward' ? path : null,
    // Numbers that grew until they were none have another cause.
    confidence: source === null || (broken.grown && source === 'forward') ? 0.7 : 0.97,
    told: ['notFinite', broken, steps],
  };
}

/** The deviation of losses from their own line, of the last half. */
function swing(losses: readonly number[]): { size: number; turns: number; mean: number } {
  const late = losses.slice(losses.length >> 1);
  const mean = meanOf(late);
  const middle = (late.length - 1) / 2;
  const slope =
    late.reduce((sum, v, i) => sum + (i - middle) * (v - mean), 0) /
    Math.max(
      1e-12,
      late.reduce((sum, _, i) => sum + (i - middle) ** 2, 0),
    );
  const rest = late.map((v, i) => v - mean - slope * (i - middle));
  const size = Math.sqrt(meanOf(rest.map((v) => v * v)));
  const turns =
    rest.slice(1).reduce((sum, v, i) => sum + v * (rest[i] as number), 0) /
    Math.max(
      1e-30,
      rest.reduce((sum, v) => sum + v * v, 0),
    );
  return { size, turns, mean };
}

/** How many standard errors the slope of a line through the losses is from 0. */
function trendOf(losses: readonly number[]): number {
  const [mean, middle] = [meanOf(losses), (losses.length - 1) / 2];
  const [xx, xy, yy] = losses.reduce(
    ([a, b, c], v, i) => [a + (i - middle) ** 2, b + (i - middle) * (v - mean), c + (v - mean) ** 2],
    [0, 0, 0],
  );
  const rest = Math.max(0, yy - xy ** 2 / xx) / (losses.length - 2);
  return xy / Math.sqrt(Math.max(1e-30, rest * xx));
}

/** Batches that are too small for how good the model is by now: steps go to and fro, and nothing is gained. */
export function noisy(e: Evidence): Said | null {
  const { chance, falling, graded, steps, train, history, last } = e;
  const skill = Math.max(train?.skill ?? 0, e.validation?.skill ?? 0);
  if (!chance || !graded || steps < 60 || history.closes.length < 5) return null;
  // Where it still falls, or all is learned, steps by chance do no harm.
  // How far the means of parts of the losses differ by chance alone.
  const apart = (3 * e.noise) / Math.sqrt(0.15 * e.losses.length) / Math.max(1e-12, Math.abs(last));
  if (chance.normTest < 3 || falling > Math.max(0.02, apart) || skill > 0.9) return null;
  return {
    id: 'noisy-gradients',
    kind: 'hint',
    where: null,
    confidence: chance.normTest > 6 ? 0.8 : 0.65,
    told: ['noisy', chance],
  };
}

/** What the rules of learning rates go by. */
interface Rate {
  readonly lr: number;
  /** The loss before the first step and after the last. */
  readonly start: number;
  readonly final: number;
}

interface Trial {
  readonly factor: number;
  readonly loss: number;
  readonly steps: number;
}

const better = (a: Trial, b: Trial): Trial => (b.loss < a.loss || Number.isNaN(a.loss) ? b : a);

function tooHigh(e: Evidence, { lr, start, final }: Rate, best: Trial): Said | null {
  if (!(best.loss < 0.75 * final - 0.02 * Math.abs(start) && best.loss < 0.97 * start)) return null;
  return {
    id: 'learning-rate-too-high',
    where: null,
    confidence: best.loss < 0.5 * final ? 0.95 : 0.8,
    told: ['tooHigh', [lr, final, e.steps], [lr * best.factor, best.loss, best.steps]],
  };
}

function tooLow(e: Evidence, { lr, start, final }: Rate): Said | null {
  const gain = start - final;
  let high: Trial = { factor: 1, loss: final, steps: 0 };
  for (const factor of [10, 100, 1000, 1e4]) {
    const next = { factor, ...tryRate(e, factor) };
    if (next.loss < high.loss) high = next;
    else if (high.factor > 1) break;
  }
  const could = start - high.loss;
  if (!(high.factor >= 10 && could > 3 * Math.max(gain, 0) && high.loss < 0.85 * start)) return null;
  return {
    id: 'learning-rate-too-low',
    where: null,
    confidence: gain < 0.1 * could ? 0.95 : 0.8,
    told: ['tooLow', start, [lr, final, e.steps], [lr * high.factor, high.loss, high.steps]],
  };
}

export function rates(e: Evidence): Said[] {
  const { losses, steps, first, last, train } = e;
  const lr = rateOf(e);
  const diverged = e.history.broken !== null;
  if (steps < 15 || !(lr > 0)) return [];
  // Where the loss is not known to be one that should fall, only that it grows without bound says something.
  if (!e.judged && !diverged && !(last > 2 * Math.abs(first) + 1)) return [];
  const { size, mean, turns } = losses.length > 8 ? swing(losses) : { size: 0, mean: 1, turns: 0 };
  const level = Math.max(Math.abs(mean), 0.2 * Math.abs(first));
  const swings = size > 0.35 * level && size > 3 * e.noise && skillOf(e) < 0.95;
  const well = skillOf(e) > 0.8 && last < 0.5 * first;
  if (well && !(swings && last > 2 * e.least)) return [];
  const final = diverged ? Number.POSITIVE_INFINITY : Math.min(train?.loss ?? last, last);
  const rate: Rate = { lr, start: e.before?.loss ?? first, final };
  const best = [0.1, 0.01, 0.001].map((factor): Trial => ({ factor, ...tryRate(e, factor) })).reduce(better);
  const said: Said[] = [];
  const high = tooHigh(e, rate, best);
  if (high) said.push(high);
  if (swings)
    said.push({
      id: 'loss-oscillates',
      where: null,
      confidence: 0.8,
      told: ['swings', [size, mean, e.noise], turns < -0.2, lr * best.factor, e.chance],
    });
  const low = said.length > 0 || diverged || steps < 40 ? null : tooLow(e, rate);
  return low ? [low] : said;
}

/** @param could the skill that a small network has; null: it was not tried */
export function stuck(e: Evidence, could: number | null): Said | null {
  const { losses, first, last, steps } = e;
  if (steps < 20 || losses.length < 20) return null;
  const moved = Math.abs(first - last);
  const { size } = swing(losses);
  const trend = trendOf(losses);
  const constant = moved + size < 1e-5 * Math.abs(first);
  // The loss should fall: it is a known one, and something else learns from the data, or nothing tells.
  if (!constant && !(e.graded && (could ?? 1) > Math.max(0, skillOf(e)) + 0.25)) return null;
  const rows = (e.batches[0]?.[0].sizes[0] ?? 1) * steps;
  // What falls for sure does move, and what has not seen its data once has not begun.
  if (!constant && (trend < -3 || rows < e.history.train.rows)) return null;
  if (moved > 0.03 * Math.abs(first) && moved > 2 * size) return null;
  if (moved > 0.1 * Math.abs(first) || skillOf(e) > 0.25) return null;
  return {
    id: 'loss-does-not-move',
    where: null,
    confidence: 0.7,
    told: ['stuck', first, last, steps],
  };
}

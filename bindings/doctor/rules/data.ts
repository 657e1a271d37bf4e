// Faults of the data: scales, constants, classes.
import * as F from '../../functional/functions.ts';
import type { Tensor } from '../../tensor.ts';
import type { Data } from '../data.ts';
import type { Evidence } from '../evidence.ts';
import type { Said } from '../said.ts';

const NORMS = /norm/i;

/** Whether the first thing that the model does with its input is to normalise it. */
const normalises = ({ before, after }: Evidence): boolean => NORMS.test((before ?? after)?.entry ?? '');

/** Features: numbers of a table, channels of images, numbers of a step of a sequence. */
function scalesOf({ columns: { mean, std } }: Data): number[] {
  return Array.from({ length: mean.length }, (_, i) => Math.hypot(mean[i] as number, std[i] as number));
}

/** Scales farther from 1 than this are not those of normalised data. */
const FAR = 12;
/** Scales of columns farther apart than this need steps of different lengths. */
const APART = 100;

export function notNormalised(e: Evidence): Said | null {
  const { data } = e;
  if (!data?.numeric || !data.finite || normalises(e)) return null;
  const scales = scalesOf(data).filter((scale) => scale > 0);
  if (scales.length === 0) return null;
  const [most, least] = [Math.max(...scales), Math.min(...scales)];
  const spread = most / Math.max(1e-12, median(scales));
  const size = Math.sqrt(scales.reduce((sum, scale) => sum + scale ** 2, 0) / scales.length);
  const tabular = data.shape.length === 1 && scales.length <= 512;
  const columns = tabular && (spread > APART || most / least > APART * 100) && most > 3;
  if (size < FAR && !columns && size > 1e-3 && most < 10 * FAR) return null;
  return {
    id: 'data-not-normalised',
    where: null,
    confidence: size > 5 * FAR || spread > 10 * APART ? 0.95 : 0.8,
    told: ['inputScale', size, [least, most], [data.low, data.high]],
  };
}

export function targetsNotNormalised({ data, task, train }: Evidence): Said | null {
  if (task !== 'numbers' || !data || data.target.integer) return null;
  const { mean, std } = data.target;
  const size = Math.hypot(mean, std);
  if (!(size > 50) || (train && train.skill > 0.5)) return null;
  return {
    id: 'data-not-normalised',
    where: null,
    confidence: 0.75,
    told: ['targetScale', mean, std],
  };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

export function constantInput({ data }: Evidence): Said | null {
  if (!data?.finite || data.rows < 8) return null;
  const { mean, std } = data.columns;
  const count = mean.length;
  const constant: number[] = [];
  for (let i = 0; i < count; i++)
    if ((std[i] as number) <= 1e-6 * Math.max(1e-3, Math.abs(mean[i] as number))) constant.push(i);
  const channels = constantChannels(data, new Set(constant));
  const few = data.shape.length === 1 && count <= 40;
  // The edges of images are empty: there it is no fault to be 0, or whatever is least.
  const filled = constant.filter((i) => Math.abs((mean[i] as number) - data.low) > 1e-6 && (mean[i] as number) !== 0);
  const share = constant.length / count;
  const isFault = share > 0.6 || channels.length > 0 || filled.length > 0 || (few && share >= 0.1);
  // Sequences of tokens may all begin, or end, with the same.
  if (!isFault || constant.length === 0 || (!data.numeric && share < 0.9)) return null;
  const all = share === 1;
  return {
    id: 'constant-input',
    where: null,
    confidence: all ? 0.98 : share > 0.6 || few || channels.length > 0 ? 0.85 : 0.65,
    told: ['constant', data.rows, count, constant, channels],
  };
}

/** Of inputs [channels, height, width], or [time, features]: those where all is constant. */
function constantChannels({ shape }: Data, constant: ReadonlySet<number>): number[] {
  if (shape.length < 2) return [];
  const channels = shape.length === 3 ? (shape[0] as number) : (shape.at(-1) as number);
  if (channels < 2) return [];
  const area = shape.reduce((a, b) => a * b, 1) / channels;
  const at = (c: number, i: number): number => (shape.length === 3 ? c * area + i : i * channels + c);
  return Array.from({ length: channels }, (_, c) => c).filter((c) =>
    Array.from({ length: area }, (_, i) => at(c, i)).every((i) => constant.has(i)),
  );
}

export function imbalanced({ data, task, train, validation }: Evidence): Said | null {
  if (!data || task === 'numbers' || data.target.counts.length === 0) return null;
  const { counts, shape, distinct, integer } = data.target;
  // What is to be said of all is no class, but what another model should take them for.
  if (distinct < 2 && !integer) return null;
  // Of sequences some tokens are frequent, such as those that fill them up.
  if (shape.length > 1 && shape[1] !== 1) return null;
  const total = counts.reduce((a, b) => a + b, 0);
  const present = counts.filter((count) => count > 0);
  const most = Math.max(...counts) / total;
  const classes = Math.max(2, present.length);
  if (total < 64 || !(most > 0.85 || (most > 0.6 && classes > 3 && most * classes > 4))) return null;
  // Where the rare ones are recognised, the program copes.
  const worst = Math.min(train?.worst ?? 0, validation?.worst ?? 1);
  if (present.length > 1 && worst > 0.5) return null;
  return {
    id: 'labels-imbalanced',
    where: null,
    confidence: most > 0.9 ? 0.95 : 0.8,
    told: ['imbalance', counts, worst],
  };
}

/** Batches of one class each. */
export function sorted({ data, batches, task }: Evidence): Said | null {
  if (!data || task === 'numbers' || data.target.distinct < 2 || batches.length < 4) return null;
  const total = data.target.counts.reduce((a, b) => a + b, 0);
  const most = Math.max(...data.target.counts) / total;
  const isPure = (y: Tensor): boolean => y.ndim === 1 && F.min(y.to('f32')).item() === F.max(y.to('f32')).item();
  const pure = batches.filter(([x, y]) => (x.sizes[0] ?? 0) >= 8 && isPure(y));
  // Where one class ends and the next begins, batches have both.
  const mixed = Math.max(0.2 * batches.length, Math.min(0.4 * batches.length, data.target.distinct - 1));
  if (pure.length < batches.length - mixed || most > 0.7) return null;
  return {
    id: 'loss-oscillates',
    where: null,
    confidence: 0.9,
    told: ['sorted', pure.length, batches.length],
  };
}

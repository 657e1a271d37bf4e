// Faults of the data: scales, constants, classes.
import * as F from '../../functional/functions.ts';
import type { Tensor } from '../../tensor.ts';
import type { Data } from '../data.ts';
import type { Evidence } from '../evidence.ts';
import { n, percent, type Said } from '../finding.ts';

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
    what: `Inputs have a scale of ${n(size)}, columns from ${n(least)} to ${n(most)}; values lie from ${n(data.low)} to ${n(data.high)}.`,
    why: 'Layers start for inputs of mean 0 and scale 1: larger ones saturate or drown others, and one learning rate does not fit all columns.',
    remedy:
      'const { mean, std } = { mean: x.mean(0), std: x.std(0).clampMin(1e-6) }; // of the training data\nx = x.sub(mean).div(std); // validation and later inputs by the same numbers',
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
    what: `Targets have a mean of ${n(mean)} and a deviation of ${n(std)}.`,
    why: 'A network starts with outputs about 0 of scale 1: gradients of squared errors are as large as the targets are.',
    remedy: 'y = y.sub(y.mean()).div(y.std()); // and undo it in what the model says',
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
    what: all
      ? `All ${data.rows} inputs are the same.`
      : channels.length > 0
        ? `Channel ${channels.join(', ')} of the input is the same everywhere.`
        : `${constant.length} of ${count} columns of the input have the same value in all ${data.rows} rows: ${constant.slice(0, 5).join(', ')}${constant.length > 5 ? ' …' : ''}.`,
    why: 'What never changes says nothing of the target; mostly a column was lost or overwritten on the way.',
    remedy: all
      ? 'console.log(x.std(0).toArray()); // look where the loader makes them, and hand the model what differs'
      : 'const varies = x.std(0).gt(1e-6); // look where the others are made, or leave them out\nx = x.indexSelect(1, nonzero(varies).squeeze(1));',
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
    what: `${percent(most)} of ${total} labels are of class ${counts.indexOf(Math.max(...counts))}, and of some class ${percent(worst)} are recognised.`,
    why: 'To always say the frequent class gives a low loss, and accuracy hides it.',
    remedy: `const counts = tensor(${JSON.stringify(counts.slice(0, 12))});\nconst weight = counts.reciprocal().mul(counts.sum().div(${counts.length}));\nconst loss = functional.crossEntropy(output, target, { weight }); // or draw rare rows more often`,
  };
}

/** Batches of one class each. */
export function sorted({ data, batches, task }: Evidence): Said | null {
  if (!data || task === 'numbers' || data.target.distinct < 2 || batches.length < 4) return null;
  const total = data.target.counts.reduce((a, b) => a + b, 0);
  const most = Math.max(...data.target.counts) / total;
  const isPure = (y: Tensor): boolean => y.ndim === 1 && F.min(y.to('f32')).item() === F.max(y.to('f32')).item();
  const pure = batches.filter(([x, y]) => (x.sizes[0] ?? 0) >= 8 && isPure(y));
  if (pure.length < 0.8 * batches.length || most > 0.7) return null;
  return {
    id: 'loss-oscillates',
    where: null,
    confidence: 0.9,
    what: `${pure.length} of ${batches.length} batches have rows of one class only.`,
    why: 'Each batch pulls the model to its own class, and the next one to another: the loss jumps when the class changes.',
    remedy: 'const loader = new data.DataLoader(dataset, { batchSize: 32, shuffle: true });',
  };
}

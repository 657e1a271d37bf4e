// What is said of the length of steps, and of numbers that are none.
import type { Broken } from '../broken.ts';
import { n, percent, type Words } from '../finding.ts';
import type { GradientNoise } from '../noise.ts';

/** How no number came about, in words. */
function causeOf({ source, op, path, step }: Broken, steps: number): string {
  const place = `${op}${path ? ` of ${path}` : ''}`;
  if (source === 'input' || source === 'target') return `The ${source} of step ${step} has NaN or infinities`;
  if (source === 'forward') return `At step ${step} ${place} made NaN or an infinity of numbers`;
  if (source === 'backward') return `At step ${step} the derivative of ${place} is NaN or infinite, as of a root at 0`;
  return `The loss is no number from step ${step} of ${steps} on`;
}

function cureOf({ source, op }: Broken): string {
  if (source === 'input' || source === 'target')
    return 'const finite = isfinite(x).all(1);\nx = x.indexSelect(0, nonzero(finite).squeeze(1)); // leave such rows out, or nanToNum(x)';
  if (source === null) return `${setRate('*= 0.1')}\noptim.clipGradNorm(model.parameters(), 1);`;
  return `x.add(1e-6).${op === 'sqrt' ? op : 'log'}(); // keep what it gets away from where it has no value\nautograd.detectAnomaly(() => step(x, y)); // shows the line`;
}

const setRate = (to: string): string => `for (const group of optimizer.paramGroups) group.lr ${to};`;

/** A batch in which chance is no longer most of it. */
function largerBatches({ scale, batchSize }: GradientNoise): string {
  const size = 2 ** Math.ceil(Math.log2(Math.min(Math.max(scale, 4 * batchSize), 64 * batchSize)));
  return `new data.DataLoader(dataset, { batchSize: ${size}, shuffle: true });`;
}

/** A learning rate, and the loss that it comes to in so many steps. */
type Tried = readonly [lr: number, loss: number, steps: number];

export const rate = {
  notFinite: (broken: Broken, steps: number): Words => [
    `${causeOf(broken, steps)}.`,
    'What is computed with it is none either: after one step all weights are lost.',
    cureOf(broken),
  ],

  tooHigh: ([lr, final, steps]: Tried, [best, loss, tried]: Tried): Words => [
    `At a learning rate of ${n(lr)} the loss ${Number.isFinite(final) ? `is ${n(final)} after ${steps} steps` : 'became no number'}; from the same start it is ${n(loss)} after ${tried} steps at ${n(best)}.`,
    'Steps are longer than the slope holds: they jump over the valley, or out of it.',
    setRate(`= ${n(best)}`),
  ],

  tooLow: (start: number, [lr, final, steps]: Tried, [best, loss, tried]: Tried): Words => [
    `At a learning rate of ${n(lr)} the loss goes from ${n(start)} to ${n(final)} in ${steps} steps; at ${n(best)} it is ${n(loss)} after ${tried}.`,
    'Steps are so short that training would take a hundred times as long.',
    setRate(`= ${n(best)}`),
  ],

  /** @param chance where it is known */
  swings: (
    [size, mean, apart]: readonly [number, number, number],
    turns: boolean,
    lr: number,
    chance: GradientNoise | null,
  ): Words => [
    `The loss swings by ${n(size)} about ${n(mean)}${turns ? ', up at one step and down at the next' : ''}; between batches it differs by ${n(apart)}.${chance ? ` Of the gradient of a batch ${percent(chance.normTest)} is chance.` : ''}`,
    'Steps go back and forth over the valley instead of along it.',
    chance && chance.normTest > 1
      ? `${largerBatches(chance)} // or group.lr = ${n(lr)}`
      : `${setRate(`= ${n(lr)}`)} // or a lower momentum, a schedule`,
  ],

  noisy: (chance: GradientNoise): Words => [
    `The loss does not fall any more, and gradients of batches of ${n(chance.batchSize)} rows deviate by ${n(chance.normTest)} times their norm: about ${n(chance.scale)} rows would have as much of a way as of chance.`,
    'Steps of the same length by chance undo each other: what could still be learned is lost among them.',
    `${largerBatches(chance)} // or a schedule that makes steps shorter:\nconst schedule = new optim.lrScheduler.CosineAnnealingLR(optimizer, steps);`,
  ],

  stuck: (first: number, last: number, steps: number): Words => [
    `The loss is ${n(first)} at the start and ${n(last)} after ${steps} steps, ${percent(Math.abs(first - last) / Math.abs(first))} apart.`,
    'Whatever the steps change makes no difference to the loss.',
    '// try to learn one batch by heart: if that fails, the way from the loss to the weights is cut, or steps are far too short\nfor (let i = 0; i < 200; i++) step(x, y);',
  ],
};

// What is said of faults of the data.
import { n, percent, type Words } from '../finding.ts';

export const data = {
  inputScale: (
    size: number,
    [least, most]: readonly [number, number],
    [low, high]: readonly [number, number],
  ): Words => [
    `Inputs have a scale of ${n(size)}, columns from ${n(least)} to ${n(most)}; values lie from ${n(low)} to ${n(high)}.`,
    'Layers start for inputs of mean 0 and scale 1: larger ones saturate or drown others, and one learning rate does not fit all columns.',
    'const { mean, std } = { mean: x.mean(0), std: x.std(0).clampMin(1e-6) }; // of the training data\nx = x.sub(mean).div(std); // validation and later inputs by the same numbers',
  ],

  targetScale: (mean: number, std: number): Words => [
    `Targets have a mean of ${n(mean)} and a deviation of ${n(std)}.`,
    'A network starts with outputs about 0 of scale 1: gradients of squared errors are as large as the targets are.',
    'y = y.sub(y.mean()).div(y.std()); // and undo it in what the model says',
  ],

  /** @param constant numbers of columns @param channels those of channels */
  constant: (rows: number, count: number, constant: readonly number[], channels: readonly number[]): Words => {
    const all = constant.length === count;
    return [
      all
        ? `All ${rows} inputs are the same.`
        : channels.length > 0
          ? `Channel ${channels.join(', ')} of the input is the same everywhere.`
          : `${constant.length} of ${count} columns of the input have the same value in all ${rows} rows: ${constant.slice(0, 5).join(', ')}${constant.length > 5 ? ' …' : ''}.`,
      'What never changes says nothing of the target; mostly a column was lost or overwritten on the way.',
      all
        ? 'console.log(x.std(0).toArray()); // look where the loader makes them, and hand the model what differs'
        : 'const varies = x.std(0).gt(1e-6); // look where the others are made, or leave them out\nx = x.indexSelect(1, nonzero(varies).squeeze(1));',
    ];
  },

  imbalance: (counts: readonly number[], worst: number): Words => {
    const total = counts.reduce((a, b) => a + b, 0);
    const most = Math.max(...counts);
    return [
      `${percent(most / total)} of ${total} labels are of class ${counts.indexOf(most)}, and of some class ${percent(worst)} are recognised.`,
      'To always say the frequent class gives a low loss, and accuracy hides it.',
      `const counts = tensor(${JSON.stringify(counts.slice(0, 12))});\nconst weight = counts.reciprocal().mul(counts.sum().div(${counts.length}));\nconst loss = functional.crossEntropy(output, target, { weight }); // or draw rare rows more often`,
    ];
  },

  sorted: (pure: number, all: number): Words => [
    `${pure} of ${all} batches have rows of one class only.`,
    'Each batch pulls the model to its own class, and the next one to another: the loss jumps when the class changes.',
    'const loader = new data.DataLoader(dataset, { batchSize: 32, shuffle: true });',
  ],
};

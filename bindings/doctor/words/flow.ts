// What is said of faults of what flows through the layers.
import type { Activation } from '../facts.ts';
import { n, percent, type Words } from '../finding.ts';

const behind = ({ feeder }: Activation): string => feeder || 'the layer';
const BEHIND_HIDDEN =
  'new nn.Sequential(new nn.Linear(64, 64), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(64, 10));';

export const flow = {
  alike: (path: string, units: number, end: boolean): Words => [
    `All ${units} units of ${path} started with the same weights${end ? ', and still have the same' : ''}.`,
    'Units that start alike and get like gradients stay alike: the layer is one unit, many times over.',
    `nn.init.kaimingUniform_(model.getParameter('${path}')); // or leave it as layers make it`,
  ],

  /** @param path of a weight; null: it is by steps of a sequence */
  vanishing: (path: string | null, ratio: number, end: number): Words => [
    path === null
      ? `The gradient of the first step of a sequence is ${n(ratio)} of that of the last.`
      : `The gradient of ${path}, for its size, is ${n(ratio)} of that of the layer with the largest, and ${n(end)} at the end.`,
    'Each layer on the way back makes it smaller, as sigmoid and tanh do where they are flat, and small weights: the first layers learn nothing.',
    path === null
      ? 'new nn.LSTM(inputSize, hiddenSize); // which has a way back that does not shrink; or an orthogonal weightHh'
      : 'new nn.Sequential(new nn.Linear(64, 64), new nn.LayerNorm(64), new nn.ReLU()); // for each sigmoid layer; or x.add(block.forward(x))',
  ],

  /** @param early by steps of a sequence, where that is it @param worst a weight, and what it does to the scale */
  exploding: (
    early: number | null,
    [total, scale]: readonly [number, number],
    worst: { readonly path: string; readonly gain: number; readonly steep: boolean } | null,
  ): Words => [
    early === null
      ? `Before the first step the norm of the gradient is ${n(total)}, and outputs have a scale of ${n(scale)}${worst?.steep ? `: ${worst.path} makes what it gets about ${n(worst.gain)} times as large` : ''}.`
      : `The gradient of the first step of a sequence is ${n(early)} times that of the last.`,
    'Each layer, or step, on the way back makes it larger: steps are far too long, and end in NaN.',
    `nn.init.kaimingNormal_(model.getParameter('${worst?.path ?? '0.weight'}')); // weights that keep the scale\nclipGradNorm(model.parameters(), 1); // before optimizer.step()`,
  ],

  dead: (activation: Activation, value: number, atStart: boolean, more: number): Words => [
    `${percent(value)} of the ${activation.units} units behind ${behind(activation)} are 0 for every input of a batch${atStart ? ' from the start' : ''}${more > 0 ? `, and so in ${more} more layers` : ''}.`,
    'A ReLU that is 0 for all inputs has no gradient: its unit never comes back.',
    atStart
      ? `nn.init.zeros_(model.getParameter('${activation.feeder}.bias')); // a bias that is not far below 0\nnew nn.LeakyReLU(0.01); // or a slope below 0`
      : 'new nn.LeakyReLU(0.01); // has a slope below 0\nfor (const group of optimizer.paramGroups) group.lr *= 0.1; // and shorter steps',
  ],

  saturated: (activation: Activation, value: number, atStart: boolean): Words => [
    `${percent(value)} of what ${activation.op} gives behind ${behind(activation)} is at the end of its range${atStart ? ' from the start' : ''}.`,
    'There its slope is almost 0, so that hardly a gradient comes through.',
    `nn.init.xavierUniform_(model.getParameter('${activation.feeder || '0'}.weight')); // smaller weights, and inputs of scale 1\nnew nn.LayerNorm(${activation.units}); // or a norm before it`,
  ],

  dropsLast: (p: number): Words => [
    `Dropout (p = ${n(p)}) stands behind the last layer: it sets outputs themselves to 0.`,
    'The loss then asks for what the model is not allowed to say; it cannot come near 0.',
    `${BEHIND_HIDDEN} // none at the end`,
  ],
  dropsAlways: (path: string): Words => [
    `Dropout in ${path || 'the model'} drops in evaluation as well.`,
    'Then no answer of the model is the one that it learned to give.',
    'h = functional.dropout(h, 0.5, this.training); // or the layer nn.Dropout, which looks itself',
  ],
  dropsFirst: (p: number): Words => [
    `Dropout (p = ${n(p)}) stands before the first layer: it sets inputs themselves to 0.`,
    'What was taken away of the data no layer can know.',
    `${BEHIND_HIDDEN} // behind hidden layers`,
  ],
  dropsBeforeNorm: (p: number, norm: string): Words => [
    `Dropout (p = ${n(p)}) stands right before the batch norm ${norm}.`,
    'What it scales in training has another variance in evaluation, and the norm goes by the wrong one.',
    'new nn.Sequential(linear, norm, new nn.ReLU(), new nn.Dropout(0.2)); // behind the norm',
  ],
  dropsMost: (p: number): Words => [
    `Dropout takes away ${percent(p)} of its input.`,
    'Too little is left to learn by.',
    'new nn.Dropout(0.2); // and only where the model overfits',
  ],

  smallBatch: (rows: number, path: string, values: number): Words => [
    `Batches have ${rows} rows, so that ${path || 'a batch norm'} takes mean and variance of ${values} values.`,
    'Means of so few are mostly chance: each output depends on its neighbours in the batch, and running statistics fit none.',
    'new nn.GroupNorm(4, 32); // or LayerNorm, which take no part of the batch\nnew data.DataLoader(dataset, { batchSize: 32, dropLast: true }); // or larger batches',
  ],
};

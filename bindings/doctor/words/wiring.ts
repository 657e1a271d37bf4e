// What is said of faults of the loop.
import { n, percent, type Words } from '../finding.ts';

const listed = (paths: readonly string[]): string =>
  `${paths.slice(0, 4).join(', ')}${paths.length > 4 ? ` and ${paths.length - 4} more` : ''}`;

export const wiring = {
  sums: (step: number, old: number): Words => [
    `At step ${step} the gradient is that of the batch plus ${n(old)} times that of the step before.`,
    'backward() adds to .grad: without zeroGrad() steps go along the sum of all gradients so far, which does not turn when it should.',
    'optimizer.zeroGrad(); // before each backward()\nloss.backward();\noptimizer.step();',
  ],

  /** @param others how many the optimizer has that the model does not have @param strangers those of neither */
  notTrained: (paths: readonly string[], all: number, others: number, strangers: number): Words => [
    paths.length > 0
      ? `${paths.length} of ${all} parameters get gradients and are in no group of the optimizer: ${listed(paths)}.${others > 0 ? ` It has ${others} that the model does not have.` : ''}`
      : `${strangers} parameters take part that neither model.parameters() nor the optimizer has.`,
    'The optimizer changes only what it was given: these stay as they were made.',
    paths.length > 0
      ? 'const optimizer = new optim.Adam(model.parameters(), { lr }); // after the model has all its layers'
      : '// put the module into a field, so that model.parameters() has it\nthis.layer = new nn.Linear(8, 8);',
  ],

  withoutGradient: (paths: readonly string[], all: number, frozen: boolean): Words => [
    frozen
      ? `${paths.length} of ${all} parameters do not require a gradient, and have the values that they were made with: ${listed(paths)}.`
      : `${paths.length} of ${all} parameters never got a gradient: ${listed(paths)}.`,
    'The way from the loss back to them is cut, by detach(), noGrad(), a number that was read, or since the loss does not use them; so they never learn.',
    frozen
      ? 'for (const p of model.parameters()) p.requiresGrad_(true); // before the optimizer is made'
      : '// let the result reach the loss without detach(), .data or noGrad()\nh = this.encoder.forward(x); // not .detach()',
  ],

  /** @param some paths; null: all of them @param rates where one of them is 0 */
  still: (some: readonly string[] | null, steps: number, rates: readonly unknown[] | null, calls: number): Words => [
    `${some ? `None of ${listed(some)}` : 'No parameter'} changed in ${steps} steps${rates ? `: the learning rate is 0 (${rates.join(', ')})` : calls === 0 ? ': optimizer.step() was never called' : ''}.`,
    'What never changes does not learn.',
    rates
      ? 'for (const group of optimizer.paramGroups) group.lr = 1e-3;'
      : calls === 0
        ? 'loss.backward();\noptimizer.step();'
        : 'loss.backward(); // of the loss of this model, before optimizer.step()\noptimizer.step();',
  ],

  /** @param found paths of modules; null: all of them */
  rests: (share: number, found: readonly string[] | null): Words => [
    `At ${percent(share)} of the steps ${found ? found.join(', ') : 'the model'} was in evaluation mode.`,
    'Dropout does not drop then, and batch norm goes by running statistics that do not move.',
    'model.eval();\nevaluate();\nmodel.train(); // before the next step',
  ],

  trains: (held: boolean, step: number, more: number, modal: readonly string[]): Words => [
    `The model was asked ${held ? 'about validation data' : 'under noGrad()'} in training mode, at step ${step} and ${more} times more.`,
    `${modal
      .slice(0, 3)
      .map((path) => path || 'the model')
      .join(
        ', ',
      )} then drop or normalise by the batch, so that figures are worse than the model, and running statistics take in what they should not.`,
    'model.eval();\nconst output = noGrad(() => model.forward(x));\nmodel.train();',
  ],

  /**
   * @param share of the steps that have the norm; null: it is the largest number that is cut
   * @param before the norm before the clip
   */
  clips: (norm: number, share: number | null, [least, most]: readonly [number, number], before: number): Words => {
    const known = Number.isFinite(before);
    return [
      share === null
        ? `The largest number of the gradient is ${n(norm)} at nearly all steps.`
        : `The norm of the gradient is ${n(norm)} at ${percent(share)} of the steps (${n(least)} to ${n(most)})${known ? `, and was about ${n(before)} before` : ''}.`,
      'A clip that always cuts takes the length from the gradient: steps do not get shorter where it is flat, and the learning rate means another thing.',
      `const norm = clipGradNorm(model.parameters(), ${known ? n(5 * before) : 'maxNorm'}); // a few times what norms are like\nconsole.log(norm.item());`,
    ];
  },

  decays: (paths: readonly string[]): Words => [
    `Weight decay pulls ${paths.length} scales of norms and biases to 0 as well: ${listed(paths)}.`,
    'They have little to overfit with, and a norm needs its scale; most recipes leave them out.',
    'const decay = model.parameters().filter((p) => p.ndim > 1), none = model.parameters().filter((p) => p.ndim <= 1);\nconst optimizer = new optim.AdamW([{ params: decay }, { params: none, weightDecay: 0 }], { lr });',
  ],
};

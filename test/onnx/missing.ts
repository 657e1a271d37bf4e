// Ops that are no part of what a model computes in evaluation, or that ONNX has no place for, and why.
import type { OpName } from '../../bindings/ops/table.ts';

const because = <Op extends OpName>(reason: string, ...ops: readonly Op[]): Readonly<Record<Op, string>> =>
  Object.fromEntries(ops.map((op) => [op, reason])) as Readonly<Record<Op, string>>;

export const missing: Partial<Readonly<Record<OpName, string>>> = {
  ...because(
    'a gradient',
    ...([
      'absBackward',
      'tanhBackward',
      'sigmoidBackward',
      'reluBackward',
      'clampBackward',
      'softplusBackward',
    ] as const),
    ...([
      'leakyReluBackward',
      'eluBackward',
      'seluBackward',
      'geluBackward',
      'geluTanhBackward',
      'siluBackward',
    ] as const),
    ...(['mishBackward', 'softsignBackward', 'hardtanhBackward', 'prodBackward', 'cumsumBackward'] as const),
    ...(['logcumsumexpBackward', 'softmaxBackward', 'logSoftmaxBackward', 'sliceBackward', 'dropoutBackward'] as const),
    ...(['attentionBackward', 'convBackwardWeight', 'crossEntropyBackward', 'nllBackward'] as const),
    ...(['bceWithLogitsBackward', 'bceBackward', 'smoothL1Backward', 'huberBackward', 'layerNormBackward'] as const),
    ...(['layerNormBackwardParams', 'batchNormBackwardParams', 'batchNormBackward', 'batchNormBackwardEval'] as const),
    ...(['groupNormBackward', 'groupNormBackwardParams', 'padEdgeBackward', 'maxPoolBackward'] as const),
    ...(['avgPoolBackward', 'adaptiveAvgPoolBackward', 'rmsNormBackward', 'resampleBackward'] as const),
    ...(['gridSampleBackwardInput', 'gridSampleBackwardGrid', 'lstmCellBackward', 'lstmBackward'] as const),
    ...(['gruBackward', 'rnnBackward', 'windowsBackward', 'ctcBackward'] as const),
  ),
  ...because('a part of gradients of rows', 'indexShares', 'packRows'),
  ...because(
    'a step of an optimizer',
    ...(['stepRows', 'advanceStep', 'sgdStep', 'adamStep', 'rmspropStep', 'adagradStep', 'clipCoefficient'] as const),
    ...([
      'nadamStep',
      'radamStep',
      'lambStep',
      'adadeltaStep',
      'adamaxStep',
      'lionStep',
      'asgdStep',
      'rpropStep',
    ] as const),
  ),
  ...because(
    'random numbers, of a generator that ONNX does not have',
    ...(['randint', 'randperm', 'uniform', 'normal', 'bernoulli', 'dropout', 'uniformInto', 'normalInto'] as const),
    ...(['poisson', 'multinomial', 'largest'] as const),
  ),
  ...because('numbers from JavaScript, or to it', 'upload', 'download'),
  ...because('a check of values, which is left out', 'within', 'weights'),
  ...because('a loss of dynamic programming, over as many steps as the values say', 'ctc'),
};

// How every class of nn is made, what it is given, and what it prints.
import * as rg from '../../bindings/index.ts';
import { type nn, ones, rand, randn, type Tensor } from '../../bindings/index.ts';
import { imageCases } from './image-cases.ts';
import { transformerCases } from './transformer-cases.ts';

type Exports = typeof nn;
type Classes = {
  [K in keyof Exports]: Exports[K] extends { readonly prototype: nn.Module } ? K : never;
}[keyof Exports];
export type Concrete = Exclude<Classes, 'Module' | 'Layer' | 'Activation' | 'Parameter' | 'Buffer' | 'summary'>;

/** How one is made, and what it is given: a shape, several, or null where it computes nothing. */
export interface Case {
  readonly args: readonly unknown[];
  readonly input: readonly number[] | null;
  /** All that forward is given, where that is not one f32 tensor of the shape `input`. */
  readonly given?: () => Tensor[];
  /** What it says between its brackets. */
  readonly shown: string | RegExp;
}
export const givenTo = ({ input, given }: Case): Tensor[] => given?.() ?? [randn(input as number[])];
const activation = (shown = ''): Case => ({ args: [], input: [3, 4], shown });
const norm = (input: readonly number[], affine: boolean): Case => ({
  args: [4],
  input,
  shown: `numFeatures: 4, eps: 0.00001, momentum: 0.1, affine: ${affine}, trackRunningStats: ${affine}`,
});
/** A loss of numbers [3, 4] and, unless others are given, a target of that shape; all from 0 to 1. */
const loss = (shown = '', ...rest: (() => Tensor)[]): Case => ({
  ...{ args: [], input: [3, 4], shown },
  given: () => [rand([3, 4]), ...(rest.length > 0 ? rest : [() => rand([3, 4])]).map((made) => made())],
});
const classes = (): Tensor => rg.randint(0, 4, [3]);
const vectors = (): Tensor => randn([3, 4]);
export const cases: { readonly [K in Concrete]: Case } = {
  AdaptiveAvgPool1d: { args: [2], input: [1, 2, 6], shown: 'outputSize: 2' },
  AdaptiveAvgPool2d: { args: [[1, null]], input: [1, 2, 6, 6], shown: 'outputSize: [1, null]' },
  AdaptiveMaxPool1d: { args: [null], input: [1, 2, 6], shown: 'outputSize: null' },
  AdaptiveMaxPool2d: { args: [[2, 3]], input: [1, 2, 6, 6], shown: 'outputSize: [2, 3]' },
  AlphaDropout: { args: [], input: [3, 4], shown: 'p: 0.5' },
  AvgPool1d: { args: [2], input: [1, 2, 6], shown: 'kernelSize: 2' },
  AvgPool2d: { args: [2, { stride: 1 }], input: [1, 2, 6, 6], shown: 'kernelSize: 2, stride: 1' },
  BatchNorm1d: norm([3, 4], true),
  BatchNorm2d: norm([3, 4, 2, 2], true),
  BatchNorm3d: norm([3, 4, 2, 2, 2], true),
  Bilinear: {
    args: [4, 3, 2],
    input: [5, 4],
    given: () => [randn([5, 4]), randn([5, 3])],
    shown: 'in1Features: 4, in2Features: 3, outFeatures: 2, bias: true',
  },
  CELU: activation(),
  CrossMapLRN2d: { args: [3], input: [2, 5, 3, 2], shown: 'size: 3, alpha: 0.0001, beta: 0.75, k: 1' },
  Conv1d: { args: [2, 4, 3], input: [1, 2, 8], shown: 'inChannels: 2, outChannels: 4, kernelSize: 3' },
  Conv2d: {
    args: [2, 4, [3, 1], 2, { padding: 1, bias: false }],
    input: [1, 2, 8, 8],
    shown: 'inChannels: 2, outChannels: 4, kernelSize: [3, 1], stride: 2, padding: 1, bias: false',
  },
  Conv3d: { args: [2, 4, 2], input: [1, 2, 4, 4, 4], shown: 'inChannels: 2, outChannels: 4, kernelSize: 2' },
  ConvTranspose1d: { args: [2, 4, 3], input: [1, 2, 8], shown: 'inChannels: 2, outChannels: 4, kernelSize: 3' },
  ConvTranspose2d: {
    args: [2, 4, 3, 2, 1, 1],
    input: [1, 2, 8, 8],
    shown: 'inChannels: 2, outChannels: 4, kernelSize: 3, stride: 2, padding: 1, outputPadding: 1',
  },
  Dropout: { args: [], input: [3, 4], shown: 'p: 0.5' },
  Dropout1d: { args: [], input: [3, 4, 2], shown: 'p: 0.5' },
  Dropout2d: { args: [], input: [3, 4, 2, 2], shown: 'p: 0.5' },
  Dropout3d: { args: [], input: [3, 4, 2, 2, 2], shown: 'p: 0.5' },
  ELU: activation(),
  Embedding: {
    args: [9, 3],
    input: [2, 4],
    given: () => [rg.randint(0, 9, [2, 4])],
    shown: 'numEmbeddings: 9, embeddingDim: 3',
  },
  EmbeddingBag: {
    args: [9, 3, { mode: 'sum' }],
    input: [2, 4],
    given: () => [rg.randint(0, 9, [2, 4])],
    shown: "numEmbeddings: 9, embeddingDim: 3, mode: 'sum'",
  },
  FeatureAlphaDropout: { args: [], input: [3, 4, 2], shown: 'p: 0.5' },
  Flatten: { args: [], input: [3, 4, 2], shown: 'startDim: 1, endDim: -1' },
  GELU: activation(),
  GRU: { args: [4, 3, { batchFirst: true }], input: [2, 5, 4], shown: 'inputSize: 4, hiddenSize: 3, batchFirst: true' },
  GRUCell: { args: [4, 3], input: [2, 4], shown: 'inputSize: 4, hiddenSize: 3, bias: true' },
  GLU: activation(),
  GroupNorm: { args: [2, 4], input: [3, 4, 2], shown: 'numGroups: 2, numChannels: 4, eps: 0.00001, affine: true' },
  Hardshrink: activation(),
  Hardsigmoid: activation(),
  Hardswish: activation(),
  Hardtanh: activation(),
  Identity: activation(),
  InstanceNorm1d: norm([3, 4, 2], false),
  InstanceNorm2d: norm([3, 4, 2, 2], false),
  LSTM: {
    args: [4, 3, 2, { dropout: 0.5, bidirectional: true, projSize: 2 }],
    input: [5, 2, 4],
    shown: 'inputSize: 4, hiddenSize: 3, numLayers: 2, dropout: 0.5, bidirectional: true, projSize: 2',
  },
  InstanceNorm3d: norm([3, 4, 2, 2, 2], false),
  LSTMCell: { args: [4, 3], input: [2, 4], shown: 'inputSize: 4, hiddenSize: 3, bias: true' },
  LayerNorm: {
    args: [[4]],
    input: [3, 4],
    shown: 'normalizedShape: [4], eps: 0.00001, elementwiseAffine: true, bias: true',
  },
  LeakyReLU: { args: [0.2], input: [3, 4], shown: 'negativeSlope: 0.2' },
  Linear: { args: [4, 3], input: [2, 4], shown: 'inFeatures: 4, outFeatures: 3, bias: true' },
  LocalResponseNorm: { args: [3], input: [2, 5, 3], shown: 'size: 3, alpha: 0.0001, beta: 0.75, k: 1' },
  LogSigmoid: activation(),
  LogSoftmax: activation(),
  MaxPool1d: { args: [2], input: [1, 2, 6], shown: 'kernelSize: 2' },
  MaxPool2d: { args: [2], input: [1, 2, 6, 6], shown: 'kernelSize: 2' },
  Mish: activation(),
  ModuleDict: { args: [{}], input: null, shown: '' },
  ModuleList: { args: [[]], input: null, shown: '' },
  ParameterDict: { args: [{}], input: null, shown: '' },
  ParameterList: { args: [[]], input: null, shown: '' },
  RNN: {
    args: [4, 3, { nonlinearity: 'relu' }],
    input: [5, 2, 4],
    shown: "inputSize: 4, hiddenSize: 3, nonlinearity: 'relu'",
  },
  RNNCell: { args: [4, 3], input: [2, 4], shown: "inputSize: 4, hiddenSize: 3, bias: true, nonlinearity: 'tanh'" },
  PReLU: { args: [4], input: [3, 4], shown: 'numParameters: 4' },
  RReLU: { args: [0.1, 0.2], input: [3, 4], shown: 'lower: 0.1, upper: 0.2' },
  ReLU: activation(),
  ReLU6: activation(),
  SELU: activation(),
  Sequential: { args: [], input: [3, 4], shown: '' },
  SiLU: activation(),
  Sigmoid: activation(),
  Softmax: { args: [{ dim: 1 }], input: [3, 4], shown: 'dim: 1' },
  Softmax2d: { args: [], input: [3, 4, 2], shown: '' },
  Softmin: activation(),
  Softplus: activation(),
  Softshrink: activation(),
  Softsign: activation(),
  Tanh: activation(),
  BCELoss: loss(),
  BCEWithLogitsLoss: loss(),
  CTCLoss: {
    ...{ args: [{ blank: 3 }], input: [6, 2, 4], shown: 'blank: 3' },
    given: () => [
      randn([6, 2, 4]),
      rg.randint(0, 3, [2, 2]),
      rg.full([2], 6, { dtype: 'i32' }),
      rg.full([2], 2, { dtype: 'i32' }),
    ],
  },
  CosineEmbeddingLoss: loss('', vectors, () => ones([3])),
  CosineSimilarity: loss(),
  CrossEntropyLoss: { ...loss('labelSmoothing: 0.1', classes), args: [{ labelSmoothing: 0.1 }] },
  GaussianNLLLoss: loss('', vectors, () => rand([3, 4])),
  HingeEmbeddingLoss: { ...loss('margin: 2'), args: [2] },
  HuberLoss: { ...loss("reduction: 'sum', delta: 0.5"), args: ['sum', { delta: 0.5 }] },
  KLDivLoss: loss(),
  L1Loss: loss(),
  MSELoss: { ...loss("reduction: 'none'"), args: [{ reduction: 'none' }] },
  MarginRankingLoss: loss('', vectors, vectors),
  MultiLabelMarginLoss: loss('', () => rg.randint(0, 4, [3, 4])),
  MultiLabelSoftMarginLoss: loss(),
  MultiMarginLoss: loss('', classes),
  NLLLoss: loss('', classes),
  PairwiseDistance: loss(),
  PoissonNLLLoss: loss(),
  SmoothL1Loss: loss(),
  SoftMarginLoss: loss(),
  TripletMarginLoss: loss('', vectors, vectors),
  TripletMarginWithDistanceLoss: loss('', vectors, vectors),
  ...transformerCases,
  ...imageCases,
  Tanhshrink: activation(),
  Threshold: { args: [0.5, -1], input: [3, 4], shown: 'threshold: 0.5, value: -1' },
};

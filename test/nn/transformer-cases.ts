// The cases of attention, transformers and RMS norm in classes.test.ts.
import { nn, randn } from '../../bindings/index.ts';

export const transformerCases = {
  MultiheadAttention: {
    args: [4, 2],
    input: [3, 4],
    given: () => [randn([3, 4]), randn([5, 4]), randn([5, 4])],
    shown: 'embedDim: 4, numHeads: 2',
  },
  RMSNorm: { args: [[4]], input: [3, 4], shown: 'normalizedShape: [4], eps: null, elementwiseAffine: true' },
  Transformer: { args: [4, 2, 1, 1, 6], input: [3, 4], given: () => [randn([3, 4]), randn([3, 4])], shown: '' },
  TransformerDecoder: {
    get args() {
      return [new nn.TransformerDecoderLayer(4, 2, 6), 2];
    },
    input: [3, 4],
    given: () => [randn([3, 4]), randn([3, 4])],
    shown: '',
  },
  TransformerDecoderLayer: { args: [4, 2, 6], input: [3, 4], given: () => [randn([3, 4]), randn([3, 4])], shown: '' },
  TransformerEncoder: {
    get args() {
      return [new nn.TransformerEncoderLayer(4, 2, 6), 2];
    },
    input: [3, 4],
    shown: '',
  },
  TransformerEncoderLayer: { args: [4, 2, 6], input: [3, 4], shown: '' },
};

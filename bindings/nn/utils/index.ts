// The namespace `nn.utils`: what models need beside layers.
/** Sequences of different lengths, packed and padded (PyTorch's `torch.nn.utils.rnn`). */
export * as rnn from './rnn.ts';

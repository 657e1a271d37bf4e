// The public names.

/** Derivatives of functions, custom functions, checkpoints (PyTorch's `torch.autograd`, `torch.func`). */
export * as autograd from './autograd/index.ts';
export * from './core.ts';
/** Datasets and loaders (PyTorch's `torch.utils.data`); the entry `retrograd/data` has files and pipelines too. */
export * as data from './data/core.ts';
/** Distributions: draws, log-probabilities, entropies (PyTorch's `torch.distributions`). */
export * as distributions from './distributions/index.ts';
/** Functions without state: activations, losses, convolutions, pools (PyTorch's `torch.nn.functional`). */
export * as functional from './functional/index.ts';
/** Files: safetensors and checkpoints; the entry `retrograd/io` has those of other libraries too. */
export * as io from './io/core.ts';
/** Layers, named and laid out as PyTorch's (`torch.nn`). */
export * as nn from './nn/index.ts';
/** Optimizers and gradient clipping (PyTorch's `torch.optim`). */
export * as optim from './optim/index.ts';

// Linear layers, activations, dropout, and what joins layers.
import * as F from '../functional.ts';
import * as fn from '../functions/index.ts';
import { ArgumentError } from '../runtime/errors.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { checkSizes, Layer, parameter } from './layer.ts';
import { Module } from './module.ts';

export { Layer } from './layer.ts';

/** x Wᵀ + b. Weight [out, in] and bias [out] start uniform in ±1/√in (PyTorch's `nn.Linear`). */
export class Linear extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | null;

  constructor(inFeatures: number, outFeatures: number, { bias = true } = {}) {
    super();
    checkSizes('Linear', { inFeatures, outFeatures });
    const bound = 1 / Math.sqrt(inFeatures);
    this.weight = init.uniform_(parameter([outFeatures, inFeatures]), -bound, bound);
    this.bias = bias ? init.uniform_(parameter([outFeatures]), -bound, bound) : null;
  }

  forward(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }

  protected override describe(): string {
    const [out, inner] = this.weight.shape;
    return `${inner} → ${out}${this.bias ? '' : ', no bias'}`;
  }
}

/** A layer without parameters, from a function of functional.ts. */
function activation<O extends object>(
  name: string,
  f: (x: Tensor, options: O) => Tensor,
): new (
  options?: Partial<O>,
) => Layer {
  const layer = class extends Layer {
    readonly #options: O;
    constructor(options: Partial<O> = {}) {
      super();
      this.#options = options as O;
    }
    forward(x: Tensor): Tensor {
      return f(x, this.#options);
    }
    protected override describe(): string {
      return Object.entries(this.#options)
        .map(([key, value]) => `${key}: ${value}`)
        .join(', ');
    }
  };
  Object.defineProperty(layer, 'name', { value: name });
  return layer;
}

/** max(x, 0). */
export const ReLU = activation('ReLU', (x) => F.relu(x));
/** 1 / (1 + e⁻ˣ). */
export const Sigmoid = activation('Sigmoid', (x) => F.sigmoid(x));
/** Hyperbolic tangent. */
export const Tanh = activation('Tanh', (x) => F.tanh(x));
/** Option negativeSlope, default 0.01. */
export const LeakyReLU = activation('LeakyReLU', (x, options: { negativeSlope: number }) => F.leakyRelu(x, options));
/** Option alpha, default 1. */
export const ELU = activation('ELU', (x, options: { alpha: number }) => F.elu(x, options));
/** Self-normalising ELU; no options. */
export const SELU = activation('SELU', (x) => F.selu(x));
/** Option approximate: 'none' (default) or 'tanh'. */
export const GELU = activation('GELU', (x, options: { approximate: 'none' | 'tanh' }) => F.gelu(x, options));
/** x · sigmoid(x). */
export const SiLU = activation('SiLU', (x) => F.silu(x));
/** Options beta, default 1, and threshold, default 20. */
export const Softplus = activation('Softplus', (x, options: { beta: number; threshold: number }) =>
  F.softplus(x, options),
);
/** x / (1 + |x|). */
export const Softsign = activation('Softsign', (x) => F.softsign(x));
/** Options minVal, default −1, and maxVal, default 1. */
export const Hardtanh = activation('Hardtanh', (x, options: { minVal: number; maxVal: number }) =>
  F.hardtanh(x, options),
);
/** Option dim, default the last. */
export const Softmax = activation('Softmax', (x, { dim = -1 }: { dim: number }) => F.softmax(x, dim));
/** Option dim, default the last. */
export const LogSoftmax = activation('LogSoftmax', (x, { dim = -1 }: { dim: number }) => F.logSoftmax(x, dim));

/** Zeroes elements with probability p while training (PyTorch's `nn.Dropout`). */
export class Dropout extends Layer {
  readonly p: number;

  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`Dropout: expected p from 0 to 1, got ${p}`);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    return F.dropout(x, { p: this.p, training: this.training });
  }

  protected override describe(): string {
    return `p: ${this.p}`;
  }
}

/** Joins dims startDim … endDim into one; by default all but the first. */
export class Flatten extends Layer {
  readonly #start: number;
  readonly #end: number;

  constructor({ startDim = 1, endDim = -1 } = {}) {
    super();
    this.#start = startDim;
    this.#end = endDim;
  }

  forward(x: Tensor): Tensor {
    return fn.flatten(x, this.#start, this.#end);
  }
}

/** Returns its input. */
export class Identity extends Layer {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Layers one after the other; children are named `0`, `1`, … (PyTorch's `nn.Sequential`). */
export class Sequential extends Layer {
  readonly #layers: readonly Layer[];

  constructor(...layers: Layer[]) {
    super();
    layers.forEach((layer, i) => {
      if (!(layer instanceof Module))
        throw new ArgumentError(`Sequential: expected modules, got ${typeof layer} as argument ${i + 1}`);
    });
    this.#layers = layers;
  }

  override namedChildren(): [string, Module][] {
    return this.#layers.map((layer, i) => [String(i), layer]);
  }

  forward(x: Tensor): Tensor {
    return this.#layers.reduce<Tensor>((y, layer) => layer.forward(y), x);
  }
}

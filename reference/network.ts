// The first losses of a network in training: forward, backward and optimizers by their definitions.
import { axis, forEachTerm, NONE, type Shape } from './conv.ts';
import { crossEntropy, meanSquaredError } from './losses.ts';
import type { Rule } from './optimizers.ts';
import { eachWindow, largest, axis as windows } from './pool.ts';
import { type Recurrent, recurrent } from './recurrent.ts';

/** One layer of a network, with its first weights in PyTorch's layout. */
export type Layer =
  | Recurrent
  | { readonly kind: 'relu' | 'tanh' }
  | {
      readonly kind: 'linear';
      readonly inputs: number;
      readonly outputs: number;
      readonly weight: Float32Array;
      readonly bias: Float32Array;
    }
  /** Stride 1 and as much padding as keeps the size, of size × size images. */
  | {
      readonly kind: 'conv';
      readonly channels: number;
      readonly filters: number;
      readonly kernel: number;
      readonly size: number;
      readonly weight: Float32Array;
      readonly bias: Float32Array;
    }
  /** The largest of every 2 × 2. */
  | { readonly kind: 'pool'; readonly channels: number; readonly size: number }
  | { readonly kind: 'flatten'; readonly channels: number; readonly size: number };

type Values = Float64Array;
type Parameter = { readonly value: Values; readonly gradient: Values };

/** A layer with its state between forward and backward, which adds to the gradients. */
interface Part {
  readonly parameters: readonly Parameter[];
  forward(x: Values): Values;
  backward(g: Values): Values;
}

const parameter = (value: Float32Array): Parameter => ({
  value: Float64Array.from(value),
  gradient: new Float64Array(value.length),
});
const add = (to: Values, at: number, value: number): void => {
  to[at] = (to[at] as number) + value;
};

/** f by element; slope gives the derivative from the result. */
function elementwise(f: (x: number) => number, slope: (y: number) => number): Part {
  let y: Values = new Float64Array();
  return {
    parameters: [],
    forward: (x) => {
      y = x.map(f);
      return y;
    },
    backward: (g) => g.map((value, i) => value * slope(y[i] as number)),
  };
}

function linear({ inputs, outputs, weight, bias }: Layer & { kind: 'linear' }): Part {
  const [w, b] = [parameter(weight), parameter(bias)];
  let x: Values = new Float64Array();
  return {
    parameters: [w, b],
    forward: (input) => {
      x = input;
      const y = new Float64Array((x.length / inputs) * outputs);
      for (let at = 0; at < y.length; at++) {
        const [row, o] = [Math.floor(at / outputs) * inputs, at % outputs];
        let sum = b.value[o] as number;
        for (let p = 0; p < inputs; p++) sum += (x[row + p] as number) * (w.value[o * inputs + p] as number);
        y[at] = sum;
      }
      return y;
    },
    backward: (g) => {
      const dx = new Float64Array(x.length);
      for (let at = 0; at < g.length; at++) {
        const [row, o] = [Math.floor(at / outputs) * inputs, at % outputs];
        const value = g[at] as number;
        add(b.gradient, o, value);
        if (value === 0) continue;
        for (let p = 0, to = o * inputs, from = row; p < inputs; p++, to++, from++) {
          w.gradient[to] = (w.gradient[to] as number) + value * (x[from] as number);
          dx[from] = (dx[from] as number) + value * (w.value[to] as number);
        }
      }
      return dx;
    },
  };
}

function conv({ channels, filters, kernel, size, weight, bias }: Layer & { kind: 'conv' }): Part {
  const [w, b] = [parameter(weight), parameter(bias)];
  const area = size * size;
  const side = axis(size, kernel, 1, (kernel - 1) / 2);
  const shapeOf = (x: Values): Shape => ({
    batch: x.length / (channels * area),
    groups: 1,
    ins: channels,
    outs: filters,
    axes: [NONE, side, side],
  });
  let x: Values = new Float64Array();
  return {
    parameters: [w, b],
    forward: (input) => {
      x = input;
      const y = new Float64Array((x.length / channels) * filters);
      y.forEach((_, at) => {
        y[at] = b.value[Math.floor(at / area) % filters] as number;
      });
      forEachTerm(shapeOf(x), (to, from, at) => add(y, to, (x[from] as number) * (w.value[at] as number)));
      return y;
    },
    backward: (g) => {
      const dx = new Float64Array(x.length);
      g.forEach((value, at) => {
        add(b.gradient, Math.floor(at / area) % filters, value);
      });
      forEachTerm(shapeOf(x), (to, from, at) => {
        add(dx, from, (g[to] as number) * (w.value[at] as number));
        add(w.gradient, at, (g[to] as number) * (x[from] as number));
      });
      return dx;
    },
  };
}

function pool({ size }: Layer & { kind: 'pool' }): Part {
  const side = windows(size, 2);
  /** The place in x of each result. */
  let picked: number[] = [];
  let length = 0;
  return {
    parameters: [],
    forward: (x) => {
      length = x.length;
      picked = [];
      for (let plane = 0; plane < length; plane += size * size)
        eachWindow({ rows: side, cols: side }, (positions) => {
          const [, place] = largest(x.subarray(plane, plane + size * size), positions);
          picked.push(plane + place);
        });
      return Float64Array.from(picked, (at) => x[at] as number);
    },
    backward: (g) => {
      const dx = new Float64Array(length);
      g.forEach((value, i) => {
        add(dx, picked[i] as number, value);
      });
      return dx;
    },
  };
}

function partOf(layer: Layer): Part {
  switch (layer.kind) {
    case 'linear':
      return linear(layer);
    case 'conv':
      return conv(layer);
    case 'pool':
      return pool(layer);
    case 'LSTM':
    case 'GRU':
      return recurrent(layer);
    case 'relu':
      return elementwise(
        (x) => Math.max(0, x),
        (y) => (y > 0 ? 1 : 0),
      );
    case 'tanh':
      return elementwise(Math.tanh, (y) => 1 - y * y);
    case 'flatten':
      return elementwise(
        (x) => x,
        () => 1,
      );
  }
}

export interface Training {
  readonly layers: readonly Layer[];
  readonly loss: 'mse' | 'crossEntropy';
  /** The whole batch; targets are classes for crossEntropy. */
  readonly x: Float32Array;
  readonly y: Float32Array | Int32Array;
  /** A rule for a parameter of n elements. */
  readonly rule: (n: number) => Rule;
}

/** The first `count` losses, each before its step. */
export function lossesOf({ layers, loss: kind, x, y, rule }: Training, count: number): Float64Array {
  const parts = layers.map(partOf);
  const parameters = parts.flatMap((part) => part.parameters);
  const steps = parameters.map(({ value }) => rule(value.length));
  const losses = new Float64Array(count);
  for (let t = 1; t <= count; t++) {
    const output = parts.reduce<Values>((input, part) => part.forward(input), Float64Array.from(x));
    const [loss, gradient] = (kind === 'mse' ? meanSquaredError : crossEntropy)(output, y);
    losses[t - 1] = loss;
    if (t === count) break; // nobody sees the last step
    parts.reduceRight<Values>((g, part) => part.backward(g), gradient);
    parameters.forEach(({ value, gradient: g }, i) => {
      steps[i]?.(value, g, t);
      g.fill(0);
    });
  }
  return losses;
}

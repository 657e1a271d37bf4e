// The first losses of a network in training: forward, backward and optimizers by their definitions, in f64.
import { ADAM, type Layer, type TrainProblem } from './problems.ts';
import { softmax } from './reference.ts';

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
  const padding = (kernel - 1) / 2;
  let x: Values = new Float64Array();
  /** Calls visit with the places in result, input and weight of every product. */
  const walk = (visit: (y: number, x: number, w: number) => void): void => {
    const n = x.length / (channels * area);
    for (let i = 0; i < n * filters; i++)
      for (let c = 0; c < channels; c++)
        for (let tap = 0; tap < kernel * kernel; tap++) {
          const [dy, dx] = [Math.floor(tap / kernel) - padding, (tap % kernel) - padding];
          const image = (Math.floor(i / filters) * channels + c) * area;
          const at = ((i % filters) * channels + c) * kernel * kernel + tap;
          for (let p = Math.max(0, -dy); p < Math.min(size, size - dy); p++)
            for (let q = Math.max(0, -dx); q < Math.min(size, size - dx); q++)
              visit(i * area + p * size + q, image + (p + dy) * size + q + dx, at);
        }
  };
  return {
    parameters: [w, b],
    forward: (input) => {
      x = input;
      const y = new Float64Array((x.length / channels) * filters);
      y.forEach((_, at) => {
        y[at] = b.value[Math.floor(at / area) % filters] as number;
      });
      walk((to, from, at) => add(y, to, (x[from] as number) * (w.value[at] as number)));
      return y;
    },
    backward: (g) => {
      const dx = new Float64Array(x.length);
      g.forEach((value, at) => {
        add(b.gradient, Math.floor(at / area) % filters, value);
      });
      walk((to, from, at) => {
        add(dx, from, (g[to] as number) * (w.value[at] as number));
        add(w.gradient, at, (g[to] as number) * (x[from] as number));
      });
      return dx;
    },
  };
}

function pool({ size }: Layer & { kind: 'pool' }): Part {
  const half = size / 2;
  let picked: Int32Array = new Int32Array();
  let length = 0;
  return {
    parameters: [],
    forward: (x) => {
      length = x.length;
      picked = Int32Array.from({ length: length / 4 }, (_, at) => {
        const [image, p, q] = [Math.floor(at / (half * half)), Math.floor(at / half) % half, at % half];
        const first = image * size * size + 2 * p * size + 2 * q;
        const candidates = [first, first + 1, first + size, first + size + 1];
        return candidates.reduce((a, b) => ((x[b] as number) > (x[a] as number) ? b : a));
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

/** The loss and its gradient by the network's output. */
function lossOf({ loss, batch, y }: TrainProblem, output: Values): [loss: number, gradient: Values] {
  const n = output.length;
  if (loss === 'mse') {
    const difference = output.map((value, i) => value - (y[i] as number));
    return [difference.reduce((sum, d) => sum + d * d, 0) / n, difference.map((d) => (2 * d) / n)];
  }
  const classes = n / batch;
  const gradient = new Float64Array(n);
  let sum = 0;
  for (let i = 0; i < batch; i++) {
    const p = softmax(output.subarray(i * classes, (i + 1) * classes));
    const target = y[i] as number;
    sum -= Math.log(p[target] as number);
    for (let j = 0; j < classes; j++) gradient[i * classes + j] = ((p[j] as number) - (j === target ? 1 : 0)) / batch;
  }
  return [sum / batch, gradient];
}

/** The step of one parameter, number t from 1, which also clears its gradient. */
function stepper({ name, lr }: TrainProblem['optimizer'], { value, gradient }: Parameter): (t: number) => void {
  const [beta1, beta2] = ADAM.betas;
  const [m, v] = [new Float64Array(value.length), new Float64Array(value.length)];
  return (t) => {
    for (let i = 0; i < value.length; i++) {
      const g = gradient[i] as number;
      if (name === 'SGD') add(value, i, -lr * g);
      else {
        m[i] = beta1 * (m[i] as number) + (1 - beta1) * g;
        v[i] = beta2 * (v[i] as number) + (1 - beta2) * g * g;
        const scale = Math.sqrt((v[i] as number) / (1 - beta2 ** t)) + ADAM.eps;
        add(value, i, (-lr * ((m[i] as number) / (1 - beta1 ** t))) / scale);
      }
    }
    gradient.fill(0);
  };
}

/** The first `checked` losses, each before its step. */
export function trainReference(problem: TrainProblem): Float64Array {
  const parts = problem.layers.map(partOf);
  const steps = parts.flatMap(({ parameters }) => parameters.map((item) => stepper(problem.optimizer, item)));
  const losses = new Float64Array(problem.checked);
  for (let t = 1; t <= losses.length; t++) {
    const output = parts.reduce<Values>((x, part) => part.forward(x), Float64Array.from(problem.x));
    const [loss, gradient] = lossOf(problem, output);
    losses[t - 1] = loss;
    if (t === losses.length) break; // nobody sees the last step
    parts.reduceRight<Values>((g, part) => part.backward(g), gradient);
    for (const step of steps) step(t);
  }
  return losses;
}

// Recurrent layers of a network in training, from their definitions, for networks of the size that benchmarks have:
// loops over plain arrays. rnn.ts has sequences of different lengths, number by number.

type Values = Float64Array;

/** A recurrent layer with its first weights in PyTorch's layout; it gives the mean of the states of all elements. */
export interface Recurrent {
  readonly kind: 'LSTM' | 'GRU';
  readonly inputs: number;
  readonly hidden: number;
  /** Elements of a sequence: x is [batch, time, inputs]. */
  readonly time: number;
  readonly weightIh: Float32Array;
  readonly weightHh: Float32Array;
  readonly biasIh: Float32Array;
  readonly biasHh: Float32Array;
}

interface Parameter {
  readonly value: Values;
  readonly gradient: Values;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** y [outs] += weight [outs, ins] x [ins]. */
function multiply(y: Values, weight: Values, x: Values): void {
  const ins = x.length;
  for (let o = 0; o < y.length; o++) {
    let sum = 0;
    for (let i = 0, at = o * ins; i < ins; i++, at++) sum += (weight[at] as number) * (x[i] as number);
    y[o] = (y[o] as number) + sum;
  }
}

/** Adds the gradients of multiply(), of the weight and of x. */
function multiplyBack({ value, gradient }: Parameter, g: Values, x: Values, dx: Values): void {
  const ins = x.length;
  for (let o = 0; o < g.length; o++) {
    const scale = g[o] as number;
    for (let i = 0, at = o * ins; i < ins; i++, at++) {
      gradient[at] = (gradient[at] as number) + scale * (x[i] as number);
      dx[i] = (dx[i] as number) + scale * (value[at] as number);
    }
  }
}

/** What one step of one sample saves. */
interface Saved {
  readonly a: Values;
  readonly b: Values;
  readonly h: Values;
  readonly c: Values;
}

/** The new states of unit j, from the sums of its gates. */
type Step = (saved: Saved, j: number) => { h: number; c: number };
/** The gradients of the gates' sums of unit j, and those of the states before but for what comes through b. */
type StepBack = (saved: Saved, j: number, dh: number, dc: number) => { a: number[]; b: number[]; h: number; c: number };

const steps: Readonly<Record<Recurrent['kind'], (hidden: number) => { gates: number; step: Step; back: StepBack }>> = {
  LSTM: (hidden) => {
    const gatesOf = ({ a, b }: Saved, j: number): [number, number, number, number] => {
      const sum = (k: number): number => (a[k * hidden + j] as number) + (b[k * hidden + j] as number);
      return [sigmoid(sum(0)), sigmoid(sum(1)), Math.tanh(sum(2)), sigmoid(sum(3))];
    };
    return {
      gates: 4,
      step: (saved, j) => {
        const [i, f, g, o] = gatesOf(saved, j);
        const c = f * (saved.c[j] as number) + i * g;
        return { h: o * Math.tanh(c), c };
      },
      back: (saved, j, dh, dc) => {
        const [i, f, g, o] = gatesOf(saved, j);
        const before = saved.c[j] as number;
        const squashed = Math.tanh(f * before + i * g);
        const d = dc + dh * o * (1 - squashed ** 2);
        const own = [d * g * i * (1 - i), d * before * f * (1 - f), d * i * (1 - g ** 2), dh * squashed * o * (1 - o)];
        return { a: own, b: own, h: 0, c: d * f };
      },
    };
  },
  GRU: (hidden) => {
    const gatesOf = ({ a, b }: Saved, j: number): [number, number, number, number] => {
      const sum = (k: number): number => (a[k * hidden + j] as number) + (b[k * hidden + j] as number);
      const [reset, update, inner] = [sigmoid(sum(0)), sigmoid(sum(1)), b[2 * hidden + j] as number];
      return [reset, update, Math.tanh((a[2 * hidden + j] as number) + reset * inner), inner];
    };
    return {
      gates: 3,
      step: (saved, j) => {
        const [, update, candidate] = gatesOf(saved, j);
        return { h: (1 - update) * candidate + update * (saved.h[j] as number), c: 0 };
      },
      back: (saved, j, dh) => {
        const [reset, update, candidate, inner] = gatesOf(saved, j);
        const slope = dh * (1 - update) * (1 - candidate ** 2);
        const dreset = slope * inner * reset * (1 - reset);
        const dupdate = dh * ((saved.h[j] as number) - candidate) * update * (1 - update);
        return { a: [dreset, dupdate, slope], b: [dreset, dupdate, slope * reset], h: dh * update, c: 0 };
      },
    };
  },
};

/** The layer with its state between forward and backward, which adds to the gradients. */
export function recurrent(layer: Recurrent) {
  const { kind, inputs, hidden, time } = layer;
  const { gates, step, back } = steps[kind](hidden);
  const size = gates * hidden;
  const [weightIh, weightHh, biasIh, biasHh] = [layer.weightIh, layer.weightHh, layer.biasIh, layer.biasHh].map(
    (value): Parameter => ({ value: Float64Array.from(value), gradient: new Float64Array(value.length) }),
  ) as [Parameter, Parameter, Parameter, Parameter];
  const element = (of: Values, at: number): Values => of.subarray(at * inputs, (at + 1) * inputs);
  let x: Values = new Float64Array();
  let saved: Saved[] = [];
  return {
    parameters: [weightIh, weightHh, biasIh, biasHh],
    forward: (input: Values): Values => {
      x = input;
      saved = [];
      const batch = x.length / (time * inputs);
      const y = new Float64Array(batch * hidden);
      for (let n = 0; n < batch; n++) {
        let [h, c] = [new Float64Array(hidden), new Float64Array(hidden)];
        for (let t = 0; t < time; t++) {
          const [a, b] = [biasIh.value.slice(), biasHh.value.slice()];
          multiply(a, weightIh.value, element(x, n * time + t));
          multiply(b, weightHh.value, h);
          const one = { a, b, h, c };
          saved.push(one);
          [h, c] = [new Float64Array(hidden), new Float64Array(hidden)];
          for (let j = 0; j < hidden; j++) {
            const made = step(one, j);
            h[j] = made.h;
            c[j] = made.c;
            y[n * hidden + j] = (y[n * hidden + j] as number) + made.h / time;
          }
        }
      }
      return y;
    },
    backward: (g: Values): Values => {
      const dx = new Float64Array(x.length);
      const batch = g.length / hidden;
      for (let n = 0; n < batch; n++) {
        let [dh, dc] = [new Float64Array(hidden), new Float64Array(hidden)];
        for (let t = time - 1; t >= 0; t--) {
          const one = saved[n * time + t] as Saved;
          const [da, db] = [new Float64Array(size), new Float64Array(size)];
          const [nextH, nextC] = [new Float64Array(hidden), new Float64Array(hidden)];
          for (let j = 0; j < hidden; j++) {
            const own = back(one, j, (dh[j] as number) + (g[n * hidden + j] as number) / time, dc[j] as number);
            nextH[j] = own.h;
            nextC[j] = own.c;
            for (let k = 0; k < gates; k++) {
              da[k * hidden + j] = own.a[k] as number;
              db[k * hidden + j] = own.b[k] as number;
            }
          }
          for (let i = 0; i < size; i++) {
            biasIh.gradient[i] = (biasIh.gradient[i] as number) + (da[i] as number);
            biasHh.gradient[i] = (biasHh.gradient[i] as number) + (db[i] as number);
          }
          multiplyBack(weightIh, da, element(x, n * time + t), element(dx, n * time + t));
          multiplyBack(weightHh, db, one.h, nextH);
          [dh, dc] = [nextH, nextC];
        }
      }
      return dx;
    },
  };
}

import { describe, expect, it } from 'vitest';
import { builds, KernelBench, sizes, ulps } from '../support/kernels.ts';

type Vector = number[];

const at = (x: ArrayLike<number>, i: number) => x[i] as number;
const noise = (n: number, seed: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(seed + i * i * 1.37));

/**
 * One parameter element's state and its step by PyTorch's formula, in f64: takes p, g and the step, gives the new p.
 */
type Rule = () => (p: number, g: number, t: number) => number;

interface Optimizer {
  title: string;
  kernel: string;
  hyper: Vector;
  /** Which of the state buffers are there; the rest are pointers of 0. */
  buffers: boolean[];
  rule: Rule;
  /** Which rule the kernel is told to follow, by a last operand; it takes no step. */
  code?: number;
}

const direction = (g: number, p: number, maximize: number, decay: number) => (maximize ? -g : g) + decay * p;

const sgd = (
  lr: number,
  decay: number,
  maximize: number,
  momentum: number,
  dampening: number,
  nesterov: number,
): Optimizer => ({
  title: `SGD ${[lr, decay, maximize, momentum, dampening, nesterov]}`,
  kernel: 'sgd_step_f32',
  hyper: [lr, decay, maximize, momentum, 1 - dampening, nesterov],
  buffers: [momentum !== 0],
  rule: () => {
    let buffer = 0;
    return (p, g, t) => {
      let d = direction(g, p, maximize, decay);
      if (momentum !== 0) {
        buffer = t === 1 ? d : momentum * buffer + (1 - dampening) * d;
        d = nesterov ? d + momentum * buffer : buffer;
      }
      return p - lr * d;
    };
  },
});

const adam = (
  lr: number,
  decay: number,
  maximize: number,
  [beta1, beta2]: readonly [number, number],
  eps: number,
  decoupled: number,
  amsgrad: boolean,
): Optimizer => ({
  title: `Adam${decoupled ? 'W' : ''} ${[lr, decay, maximize, beta1, beta2, eps, amsgrad]}`,
  kernel: 'adam_step_f32',
  hyper: [lr, decay, maximize, 1 - beta1, 1 - beta2, eps, decoupled],
  buffers: [true, true, amsgrad],
  rule: () => {
    let [m, v, top] = [0, 0, 0];
    return (p, g, t) => {
      const d = direction(g, p, maximize, decoupled ? 0 : decay);
      const kept = decoupled ? p * (1 - lr * decay) : p;
      m = beta1 * m + (1 - beta1) * d;
      v = beta2 * v + (1 - beta2) * d * d;
      top = Math.max(top, v);
      const root = Math.sqrt(amsgrad ? top : v) / Math.sqrt(1 - beta2 ** t);
      return kept - ((lr / (1 - beta1 ** t)) * m) / (root + eps);
    };
  },
});

const rmsprop = (
  lr: number,
  decay: number,
  maximize: number,
  alpha: number,
  eps: number,
  momentum: number,
  centered: boolean,
): Optimizer => ({
  title: `RMSprop ${[lr, decay, maximize, alpha, eps, momentum, centered]}`,
  kernel: 'rmsprop_step_f32',
  hyper: [lr, decay, maximize, 1 - alpha, eps, momentum],
  buffers: [true, centered, momentum !== 0],
  rule: () => {
    let [square, mean, buffer] = [0, 0, 0];
    return (p, g) => {
      const d = direction(g, p, maximize, decay);
      square = alpha * square + (1 - alpha) * d * d;
      mean = alpha * mean + (1 - alpha) * d;
      const u = d / (Math.sqrt(square - (centered ? mean * mean : 0)) + eps);
      buffer = momentum * buffer + u;
      return p - lr * (momentum ? buffer : u);
    };
  },
});

const adagrad = (lr: number, decay: number, maximize: number, lrDecay: number, eps: number): Optimizer => ({
  title: `Adagrad ${[lr, decay, maximize, lrDecay, eps]}`,
  kernel: 'adagrad_step_f32',
  hyper: [lr, decay, maximize, lrDecay, eps],
  buffers: [true],
  rule: () => {
    let total = 0;
    return (p, g, t) => {
      const d = direction(g, p, maximize, decay);
      total += d * d;
      return p - ((lr / (1 + (t - 1) * lrDecay)) * d) / (Math.sqrt(total) + eps);
    };
  },
});

/** The rules of TensorFlow.js, whose settings are lr, keep, take, eps and fade. */
const tensorflow = (
  rule: 0 | 1 | 2,
  [lr, keep, take, eps, fade]: readonly [number, number, number, number, number],
  buffers: boolean[],
): Optimizer => ({
  title: `TensorFlow.js, rule ${rule} ${[lr, keep, take, eps, fade, buffers]}`,
  kernel: 'tensorflow_step_f32',
  hyper: [lr, keep, take, eps, fade],
  buffers,
  code: rule,
  rule: () => {
    let [a, b, c] = [0, 0, 0];
    return (p, g) => {
      const before = a;
      a = keep * a + take * (rule === 2 ? g : g * g);
      if (rule === 2) {
        b = Math.max(fade * b, Math.abs(g));
        return p - (lr * a) / (b + eps);
      }
      if (rule === 1) {
        const u = (Math.sqrt(b + eps) / Math.sqrt(before + eps)) * g;
        b = keep * b + take * u * u;
        return p - lr * u;
      }
      c = keep * c + take * g;
      b = fade * b + (lr * g) / Math.sqrt(a - (buffers[2] ? c * c : 0) + eps);
      return p - b;
    };
  },
});

const betas = [0.9, 0.999] as const;
const optimizers = [
  sgd(0.1, 0, 0, 0, 0, 0),
  sgd(0.1, 0.01, 1, 0, 0, 0),
  sgd(0.1, 0, 0, 0.9, 0, 0),
  sgd(0.1, 0.01, 0, 0.9, 0.5, 0),
  sgd(0.1, 0.01, 1, 0.9, 0, 1),
  adam(1e-3, 0, 0, betas, 1e-8, 0, false),
  adam(1e-2, 0.1, 1, betas, 1e-8, 0, false),
  adam(1e-2, 0, 0, [0.5, 0.9], 1e-3, 0, true),
  adam(1e-2, 0.1, 0, betas, 1e-8, 1, false),
  adam(1e-2, 0.1, 1, betas, 1e-8, 1, true),
  adam(1e-2, 0, 0, [0, 0.999], 1e-8, 0, false),
  rmsprop(1e-2, 0, 0, 0.99, 1e-8, 0, false),
  rmsprop(1e-2, 0.1, 1, 0.9, 1e-8, 0.5, false),
  rmsprop(1e-3, 0, 0, 0.9, 1e-2, 0, true),
  rmsprop(1e-3, 0, 0, 0.9, 1e-2, 0.9, true),
  adagrad(0.1, 0, 0, 0, 1e-10),
  adagrad(0.1, 0.01, 1, 0.1, 1e-10),
  tensorflow(0, [1e-2, 0.9, 0.1, 1e-7, 0], [true, false, false]),
  tensorflow(0, [1e-2, 0.9, 0.1, 1e-3, 0.5], [true, true, false]),
  tensorflow(0, [1e-2, 0.5, 0.5, 1e-2, 0.5], [true, true, true]),
  tensorflow(1, [0.1, 0.9, 0.1, 1e-2, 0], [true, true, false]),
  tensorflow(2, [1e-2, 0.9, 0.1, 1e-3, 0.99], [true, true, false]),
];

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  /** Ten steps, as bindings make them; gives p after each. */
  function train({ kernel, hyper, buffers, code }: Optimizer, p: Float32Array, gradients: Float32Array[]) {
    bench.reset();
    const n = p.length;
    const [pp, gp, step] = [bench.f32(p), bench.f32(n), bench.f32([0])];
    const zeros = new Float32Array(n);
    // SGD's buffer is filled in the first step, and what it holds before does not count.
    const states = buffers.map((there) => (there ? bench.f32(kernel === 'sgd_step_f32' ? n : zeros) : 0));
    const hyperPointer = bench.f32(hyper);
    return gradients.map((g, t) => {
      new Float32Array(bench.memory.buffer, gp, n).set(g);
      new Float32Array(bench.memory.buffer, step, 1)[0] = t + 1;
      if (code === undefined) bench.run(kernel, pp, gp, ...states, step, hyperPointer, n);
      else bench.run(kernel, pp, gp, ...states, hyperPointer, n, code);
      return bench.readF32(pp, n);
    });
  }

  it.each(optimizers)('$title follows the formula for ten steps', (optimizer) => {
    for (const n of sizes) {
      const start = noise(n, 1);
      const gradients = Array.from({ length: 10 }, (_, t) => noise(n, 2 + t));
      const steps = train(optimizer, start, gradients);
      const lr = at(optimizer.hyper, 0);
      let worst = 0;
      for (const [i, p0] of start.entries()) {
        const next = optimizer.rule();
        let p = p0;
        for (const [t, g] of gradients.entries()) {
          p = next(p, at(g, i), t + 1);
          worst = Math.max(worst, Math.abs(at(at2(steps, t), i) - p));
        }
      }
      // Rounding p itself, and a few roundings in ten steps of size lr.
      expect(worst, `n = ${n}`).toBeLessThan(5e-7 + 2e-5 * lr);
    }
  });

  it.each(optimizers)('$title gives an element the same bits at every place of a vector', (optimizer) => {
    const same = (n: number, v: number) => new Float32Array(n).fill(v);
    const gradients = [0.3, -0.2, 0.7];
    const [alone, many] = [1, 11].map((n) =>
      train(
        optimizer,
        same(n, 0.5),
        gradients.map((g) => same(n, g)),
      ),
    );
    for (const [t, p] of (many ?? []).entries()) expect(p).toEqual(same(11, at(at2(alone ?? [], t), 0)));
  });

  it('Adam is right after many steps, where the powers of beta vanish', () => {
    const optimizer = adam(1e-3, 0, 0, betas, 1e-8, 0, false);
    const gradients = Array.from({ length: 3000 }, (_, t) => Float32Array.of(Math.sin(t * t)));
    const steps = train(optimizer, Float32Array.of(0.5), gradients);
    const next = optimizer.rule();
    let p = 0.5;
    for (const [t, g] of gradients.entries()) p = next(p, at(g, 0), t + 1);
    expect(at(at2(steps, 2999), 0)).toBeCloseTo(p, 4);
  });

  it('centered RMSprop survives a variance that rounding made negative', () => {
    const optimizer = rmsprop(1e-3, 0, 0, 0.5, 1e-8, 0, true);
    const gradients = Array.from({ length: 100 }, () => new Float32Array(5).fill(0.3));
    for (const p of train(optimizer, noise(5, 1), gradients)) for (const v of p) expect(v).not.toBeNaN();
  });

  it.each([
    [0, 1, 1],
    [0.25, 1, 1],
    [4, 1, 1 / (2 + 1e-6)],
    [1e12, 10, 1e-5],
    [Number.POSITIVE_INFINITY, 1, 0],
    [Number.NaN, 1, Number.NaN],
    [4, 0, 0],
    [4, Number.POSITIVE_INFINITY, 1],
  ])('clip_coefficient_f32 of a sum of squares %d for a norm of at most %d is %d', (sum, limit, expected) => {
    bench.reset();
    const out = bench.f32(1);
    bench.run('clip_coefficient_f32', out, bench.f32([sum]), limit);
    expect(ulps(at(bench.readF32(out, 1), 0), expected)).toBeLessThanOrEqual(1);
  });

  it('scale_by_f32 multiplies in place', () => {
    for (const n of sizes) {
      bench.reset();
      const x = noise(n, 1);
      const pointer = bench.f32(x);
      bench.run('scale_by_f32', pointer, n, bench.f32([0.5]));
      expect(bench.readF32(pointer, n)).toEqual(x.map((v) => v / 2));
    }
  });
});

function at2<T>(list: T[], i: number): T {
  return list[i] as T;
}

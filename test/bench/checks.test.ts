// What answers and rates are held against.
import { describe, expect, it } from 'vitest';
import { checkConv } from '../../bench/checks/conv.ts';
import { checkProduct } from '../../bench/checks/elements.ts';
import { copyInstruction, maddLoop, ops, streamLoop } from '../../bench/limits/loops.ts';
import type { ConvProblem } from '../../bench/problems.ts';
import { outputsOf, uniform } from '../../bench/problems.ts';
import { erf } from '../../reference/special.ts';

describe('the checks', () => {
  it('see one wrong element of a large product, wherever it is', async () => {
    const n = 160;
    const at = (i: number, j: number): number => Math.sin(i * n + j);
    const check = checkProduct({ rows: n, cols: n, at }, { rows: n, cols: n, at });
    const c = new Float32Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) for (let p = 0, sum = 0; p < n; p++) c[i * n + j] = sum += at(i, p) * at(p, j);
    expect(check(c)).toBeNull();
    for (const place of [0, 7777, n * n - 1])
      for (const value of [(c[place] as number) + 0.01, Number.NaN]) {
        const wrong = c.slice();
        wrong[place] = value;
        expect(check(wrong)).toMatch(/expected/);
      }
    expect(check(c.subarray(1))).toMatch(/numbers where 25600 were expected/);
  });

  const conv: ConvProblem = {
    kind: 'conv',
    direction: 'forward',
    ...{ n: 2, channels: 4, height: 5, width: 6, filters: 6, kernel: 3, stride: 2, padding: 1, groups: 2 },
    ...{ x: uniform(2 * 4 * 30, 1), weight: uniform(6 * 2 * 9, 2), g: uniform(2 * 6 * 9, 3) },
  };
  /** The forward pass as written down, in NCHW. */
  function convolved({ n, channels, height, width, filters, kernel, stride, padding, groups, x, weight }: ConvProblem) {
    const [rows, cols] = outputsOf(conv);
    const [inner, outer] = [channels / groups, filters / groups];
    return Float32Array.from({ length: n * filters * rows * cols }, (_, at) => {
      const [q, p] = [at % cols, Math.floor(at / cols) % rows];
      const [o, b] = [Math.floor(at / cols / rows) % filters, Math.floor(at / cols / rows / filters)];
      let sum = 0;
      for (let c = 0; c < inner; c++)
        for (let tap = 0; tap < kernel * kernel; tap++) {
          const [i, j] = [p * stride - padding + Math.floor(tap / kernel), q * stride - padding + (tap % kernel)];
          if (i < 0 || j < 0 || i >= height || j >= width) continue;
          const channel = Math.floor(o / outer) * inner + c;
          sum +=
            (x[((b * channels + channel) * height + i) * width + j] as number) *
            (weight[(o * inner + c) * kernel * kernel + tap] as number);
        }
      return sum;
    });
  }

  it('know a convolution, its gradients and both layouts', () => {
    const y = convolved(conv);
    expect(checkConv(conv)(y)).toBeNull();
    const wrong = y.slice();
    wrong[77] = (wrong[77] as number) + 0.1;
    expect(checkConv(conv)(wrong)).toMatch(/position 77/);
    // Σ g·y is linear in x and in the weight: a gradient is what it changes by for one element.
    const change = (name: 'x' | 'weight', i: number): number => {
      const moved = conv[name].slice();
      moved[i] = (moved[i] as number) + 1;
      return convolved({ ...conv, [name]: moved }).reduce(
        (sum, v, j) => sum + (v - (y[j] as number)) * (conv.g[j] as number),
        0,
      );
    };
    for (const [direction, name] of [
      ['dInput', 'x'],
      ['dWeight', 'weight'],
    ] as const) {
      const gradient = conv[name].map((_, i) => change(name, i));
      expect(checkConv({ ...conv, direction })(gradient), direction).toBeNull();
      gradient[50] = (gradient[50] as number) - 0.1;
      expect(checkConv({ ...conv, direction })(gradient), direction).toMatch(/position 50/);
    }
    const last = (values: Float32Array, channels: number, pixels: number): Float32Array =>
      values.map((_, at) => {
        const [c, p, b] = [at % channels, Math.floor(at / channels) % pixels, Math.floor(at / channels / pixels)];
        return values[(b * channels + c) * pixels + p] as number;
      });
    const nhwc: ConvProblem = {
      ...conv,
      kind: 'conv nhwc',
      x: last(conv.x, 4, 30),
      g: last(conv.g, 6, 9),
      weight: last(conv.weight, 6, 18).map((_, at) => {
        const [o, c, tap] = [at % 6, Math.floor(at / 6) % 2, Math.floor(at / 12)];
        return conv.weight[(o * 2 + c) * 9 + tap] as number;
      }),
    };
    expect(checkConv(nhwc)(last(y, 6, 9))).toBeNull();
    expect(checkConv(nhwc)(y)).toMatch(/expected/);
  });

  it('compute the error function', async () => {
    const known = {
      0: 0,
      0.5: 0.5204998778130465,
      1: 0.8427007929497149,
      2.9: 0.9999589021219005,
      3.5: 0.999999256901628,
    };
    for (const [x, y] of Object.entries(known)) {
      expect(erf(Number(x))).toBeCloseTo(y, 12);
      expect(erf(-Number(x))).toBeCloseTo(-y, 12);
    }
  });

  it('make loops that compute what they say', async () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const view = new Float32Array(memory.buffer);
    const values = Float32Array.from({ length: 32 }, (_, i) => i - 7);
    view.set(values, 0);
    streamLoop(memory, 1, ([x]) => x as readonly number[])(1024, 0, 128);
    expect(view.slice(256, 256 + 33)).toEqual(Float32Array.from([...values, 0]));
    copyInstruction(memory)(2048, 0, 128);
    expect(view.slice(512, 512 + 32)).toEqual(values);
    streamLoop(memory, 1, ([x], old) => [...(x as readonly number[]), ...old, ...ops.add])(2048, 0, 128);
    expect(view.slice(512, 512 + 32)).toEqual(values.map((x) => 2 * x));
    // Two chains of c = c/2 + 1/2 from 3 and 5, three times: 1 + 2/8 and 1 + 4/8, added up.
    view.set([...Array(4).fill(0.5), ...Array(4).fill(3), ...Array(4).fill(5)], 1024);
    maddLoop(memory, 2, false)(3, 4096);
    expect(view.slice(1024, 1028)).toEqual(new Float32Array(4).fill(2.75));
  });
});

// Signals: windows, and Fourier transforms, which are products with matrices of cosines and sines.
import { tensor } from '../../creation.ts';
import { cast } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { matmul } from '../../functional/matmul.ts';
import { pad } from '../../functional/pad.ts';
import { unfold } from '../../functional/rearrange.ts';
import * as S from '../../functional/shape.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Tensor } from '../../tensor.ts';
import type { Family, Operator } from '../operator.ts';
import { dtypeOf } from '../values.ts';

/** More numbers of a matrix than this would be slow; such signals are for another library. */
const MOST = 2 ** 24;

/** a0 − a1 cos(2πi / n) + a2 cos(4πi / n). */
const windowOf = (a0: number, a1: number, a2: number): Operator => ({
  takes: 'size# | output_datatype=1 periodic=1',
  types: ({ attributes }) => [attributes.output_datatype as number],
  run: (call) => {
    const size = call.number(0);
    const n = call.attr('periodic') ? size : size - 1;
    const at = (i: number): number => (2 * Math.PI * i) / n;
    const numbers = Float32Array.from({ length: size }, (_, i) => a0 - a1 * Math.cos(at(i)) + a2 * Math.cos(2 * at(i)));
    return cast(tensor(numbers), dtypeOf(call.node.given[0] as number));
  },
});

/** cos and sin of 2πkn / length, [length, count]. */
function turns(length: number, count: number): [cos: Tensor, sin: Tensor] {
  if (length * count > MOST) throw new ArgumentError(`DFT: expected at most ${MOST} products, got ${length * count}`);
  const of = (fn: (angle: number) => number): Tensor =>
    tensor(
      Float32Array.from({ length: length * count }, (_, i) =>
        fn((2 * Math.PI * ((Math.floor(i / count) * (i % count)) % length)) / length),
      ),
      { shape: [length, count] },
    );
  return [of(Math.cos), of(Math.sin)];
}

/** The transform of real and imaginary parts along their last dim, as [..., count, 2]. */
function transform(real: Tensor, imaginary: Tensor | null, inverse: boolean, onesided: boolean): Tensor {
  const length = real.sizes.at(-1) as number;
  const [cos, sin] = turns(length, onesided ? Math.floor(length / 2) + 1 : length);
  const way = inverse ? 1 : -1;
  let [re, im] = [matmul(real, cos), F.mul(matmul(real, sin), way)];
  if (imaginary) {
    re = F.sub(re, F.mul(matmul(imaginary, sin), way));
    im = F.add(im, matmul(imaginary, cos));
  }
  const parts = S.stack([re, im], -1);
  return inverse ? F.mul(parts, 1 / length) : parts;
}

/** The real numbers of which `parts` are the first half of the transform; the other half mirrors them. */
function restored([real, imaginary]: readonly Tensor[], length: number): Tensor {
  const count = Math.floor(length / 2) + 1;
  const [cos, sin] = turns(length, count);
  const twice = (k: number): number => (k === 0 || 2 * k === length ? 1 : 2) / length;
  const weights = tensor(Float32Array.from({ length: count }, (_, k) => twice(k)));
  const of = (part: Tensor, table: Tensor): Tensor => {
    const sized = pad(part, [0, count - (part.sizes.at(-1) as number)]);
    return matmul(F.mul(sized, weights), S.transpose(table, 0, 1));
  };
  return S.unsqueeze(F.sub(of(real as Tensor, cos), of(imaginary as Tensor, sin)), -1);
}

const fourier: Operator = {
  takes: 'input dft_length?# axis?# | axis:int inverse=0 onesided=0',
  run: (call) => {
    const x = call.float(0);
    const axis = call.axis(call.has(2) ? call.number(2) : (call.attr('axis') ?? (call.opset < 20 ? 1 : -2)), x.ndim);
    const inverse = call.attr('inverse') !== 0;
    const parts = S.unbind(x, -1).map((part) => S.transpose(part, axis, -1));
    const own = (parts[0] as Tensor).sizes.at(-1) as number;
    if (inverse && call.attr('onesided') && parts.length === 2) {
      const y = restored(parts, call.has(1) ? call.number(1) : 2 * (own - 1));
      return S.transpose(y, axis, -2);
    }
    const length = call.has(1) ? call.number(1) : own;
    const sized = parts.map((part) => pad(part, [0, length - (part.sizes.at(-1) as number)]));
    const y = transform(sized[0] as Tensor, sized[1] ?? null, inverse, call.attr('onesided') !== 0);
    return S.transpose(y, axis, -2);
  },
};

const shortTime: Operator = {
  takes: 'signal frame_step# window? frame_length?# | onesided=1',
  run: (call) => {
    const x = call.float(0);
    const signal = x.ndim === 3 ? S.unbind(x, -1) : [x];
    const window = call.has(2) ? call.float(2) : null;
    const length = call.has(3) ? call.number(3) : (window?.size ?? (x.sizes[1] as number));
    const frames = signal.map((part) => {
      const each = unfold(part, 1, length, call.number(1));
      return window ? F.mul(each, window) : each;
    });
    return transform(frames[0] as Tensor, frames[1] ?? null, false, call.attr('onesided') !== 0);
  },
};

export const signals: Family = {
  BlackmanWindow: windowOf(0.42, 0.5, 0.08),
  DFT: fourier,
  HammingWindow: windowOf(25 / 46, 21 / 46, 0),
  HannWindow: windowOf(0.5, 0.5, 0),
  STFT: shortTime,
};

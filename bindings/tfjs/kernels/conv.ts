// Convolutions of images and volumes. Filters lie as the NHWC kernels take them; for images with channels first they
// are permuted to what the NCHW kernels take. Where those have Winograd's algorithm, which halves the work or better,
// images with channels last are transposed, too, and so is the result: that costs a tenth of what it saves.
import { convKernels } from '../../generated/kernel-calls.ts';
import { formatShape, ShapeError } from '../../memory/errors.ts';
import { contiguousStrides, numelOf, type Shape, sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import type { Info } from '../engine.ts';
import { WORTH } from '../later.ts';
import { F, type Family, maybe, type Row, row } from '../row.ts';
import { applyActivation, type Fused, isFusable } from './fused.ts';
import { copy, fill } from './layout.ts';
import {
  type Axis,
  axesOf,
  axisWords,
  beginning,
  channelsOf,
  imagesOf,
  isLast,
  spatialOf,
  type Windows,
} from './windows.ts';

/** A convolution: how its images lie, and what its kernel is told. */
interface Conv {
  /** Whether channels are the last dim of images. */
  readonly last: boolean;
  /** Whether the kernels for channels first are to compute it all the same. */
  readonly turns: boolean;
  readonly y: Shape;
  /** The filter's size: [...kernel, in, out] of a group, and how many channels of results all groups have. */
  readonly kernel: Shape;
  readonly inner: number;
  readonly out: number;
  readonly dims: readonly number[];
}

/** Whether kernels for channels first go by Winograd's algorithm: see assembly/conv/select.ts, of all three of them. */
function isWinograd(axes: readonly Axis[], channels: number, batch: number): boolean {
  const most = (n: number): number => Math.ceil(n / 4);
  return (
    axes.length === 2 &&
    channels >= 16 &&
    axes.every(
      ({ size, outputs, kernel, stride, dilation }) =>
        kernel === 3 && stride === 1 && dilation === 1 && size >= 4 && outputs >= 4,
    ) &&
    axes.reduce((tiles, { outputs }) => tiles * most(outputs), batch) >= 16
  );
}

/** Depthwise filters are [...kernel, channels, multiplier]: a group a channel. @throws ShapeError, ArgumentError */
function measure(op: string, x: Shape, filter: Shape, attrs: Windows, depthwise: boolean): Conv {
  const last = isLast(attrs);
  const kernel = filter.slice(0, -2);
  const [rows, columns] = filter.slice(-2) as [number, number];
  const [groups, inner] = depthwise ? [rows, 1] : [1, rows];
  if (x.length !== filter.length || channelsOf(x, last) !== rows)
    throw new ShapeError(
      `${op}: expected a filter [...kernel, ${channelsOf(x, last)}, out] of ${x.length} dims for images ${formatShape(x)}, got ${formatShape(filter)}`,
    );
  const axes = axesOf(op, spatialOf(x, last), kernel, attrs);
  const turns = last && !depthwise && isWinograd(axes, Math.min(rows, columns), x[0] as number);
  const y = imagesOf(
    x[0] as number,
    axes.map(({ outputs }) => outputs),
    groups * columns,
    last,
  );
  const head = [x[0] as number, groups, inner, columns, numelOf(x.slice(1)), numelOf(y.slice(1))];
  return { last, turns, y, kernel, inner, out: groups * columns, dims: [...head, ...axisWords(axes)] };
}

/** Copies a filter from [...kernel, in, out] to [out, in, ...kernel], or `back`. */
function permute(backend: Backend, to: Data, from: Data, { kernel, inner, out }: Conv, back: boolean): void {
  const n = kernel.length;
  const shape = [out, inner, ...kernel];
  const steps = contiguousStrides([...kernel, inner, out]);
  const last = [1, steps[n] as number, ...steps.slice(0, n)];
  const first = contiguousStrides(shape);
  copy(backend.kernels, 'float32', to, from, shape, back ? last : first, back ? first : last);
}

/** Copies images from channels last to channels first, or back. */
function turn(backend: Backend, to: Data, from: Data, shape: Shape, back: boolean): void {
  const [batch, ...rest] = shape as [number, ...number[]];
  const channels = rest[rest.length - 1] as number;
  const pixels = numelOf(rest) / channels;
  const sizes = back ? [batch, pixels, channels] : [batch, channels, pixels];
  const steps = [pixels * channels, 1, sizes[1] as number];
  copy(backend.kernels, 'float32', to, from, sizes, contiguousStrides(sizes), steps);
}

/** Images as kernels take them: `shape` is that with channels last. */
function imagesFor(backend: Backend, data: Data, shape: Shape, { turns }: Conv): Data {
  if (!turns) return data;
  const first = backend.temporary(data.size, 'float32');
  turn(backend, first, data, shape, false);
  return first;
}

/** Has kernels write images of `shape` to `result`, through a place with channels first where they need one. */
function writing(backend: Backend, result: Data, shape: Shape, { turns }: Conv, kernel: (to: Data) => void): void {
  const to = turns ? backend.temporary(result.size, 'float32') : result;
  kernel(to);
  if (turns) turn(backend, result, to, shape, true);
}

/** The filter as kernels take it. */
function filterOf(backend: Backend, data: Data, conv: Conv): Data {
  if (conv.last && !conv.turns) return data;
  const w = backend.temporary(data.size, 'float32');
  permute(backend, w, data, conv, false);
  return w;
}

type Result = Info & { readonly dataId: Data };

const hasElements = (...all: readonly Data[]): boolean => all.every(({ size }) => size > 0);

/** Whether a side has no elements, so that the result is 0 throughout; else the kernel runs. */
function isEmpty(backend: Backend, result: Result, ...sides: readonly Data[]): boolean {
  if (hasElements(result.dataId, ...sides)) return false;
  fill(backend.kernels, 'float32', result.dataId, result.dataId.size, 0);
  return true;
}

interface Inputs {
  readonly x: Info;
  readonly filter: Info;
  readonly bias?: Info | undefined;
  readonly preluActivationWeights?: Info | undefined;
}

/** y = the convolution of images of a shape + one value a channel, `act` being 1 for relu. */
function compute(
  backend: Backend,
  y: Data,
  [x, filter]: readonly [Data, Data],
  shape: Shape,
  conv: Conv,
  bias: Data | null,
  act: 0 | 1,
): void {
  const { dims } = conv;
  const images = imagesFor(backend, x, shape, conv);
  const w = filterOf(backend, filter, conv);
  writing(backend, y, conv.y, conv, (to) => {
    const lines = numelOf(conv.y.slice(0, -2));
    if (conv.last && !conv.turns)
      backend.kernels.conv_nhwc_forward_f32({ y: to, x: images, w, bias, first: 0, lines, act, dims });
    else backend.kernels.conv_forward_f32({ y: to, x: images, w, bias, act, dims });
  });
}

/** The convolution, which waits for its bias: while gradients are asked for, tfjs adds that by another kernel. */
function convolveLater(backend: Backend, conv: Conv, inputs: readonly [Data, Data], shape: Shape): Info {
  return backend.delay(conv.y, {
    inputs,
    compute: (y) => compute(backend, y, inputs, shape, conv, null, 0),
    joins: (kernel, y, bias) => {
      const ends = y.shape[y.shape.length - 1] === conv.out && sameShape(bias.shape, [conv.out]);
      if (kernel !== 'Add' || y.dataId.size !== numelOf(conv.y) || !ends) return false;
      const by = backend.at(bias);
      const run = (to: Data, act: 0 | 1): void => compute(backend, to, inputs, shape, conv, by, act);
      if (!backend.differentiates) run(y.dataId, 0);
      // Nor do gradients look at it, where a relu() follows: the step of that is the step of this.
      else
        backend.delayMade(y.dataId, {
          inputs: [...inputs, by],
          compute: (to) => run(to, 0),
          joins: (next, { dataId }) => {
            if (next !== 'Relu') return false;
            run(dataId, 1);
            return true;
          },
        });
      return true;
    },
  });
}

/** The convolution, and what is fused into it. */
function convolve(
  backend: Backend,
  op: string,
  { x, filter, bias, preluActivationWeights }: Inputs,
  attrs: Windows & Fused,
  depthwise: boolean,
): Info {
  const conv = measure(op, x.shape, filter.shape, attrs, depthwise);
  const inputs = [backend.at(x), backend.at(filter)] as const;
  if (!(bias || attrs.activation) && conv.last && numelOf(conv.y) >= WORTH && hasElements(...inputs))
    return convolveLater(backend, conv, inputs, x.shape);
  const { last, out } = conv;
  const y = backend.make(conv.y, 'float32');
  // One value a channel goes into the kernel.
  const inside = bias && sameShape(bias.shape, [out]) ? bias : undefined;
  const relu = attrs.activation === 'relu' && (inside || !bias);
  if (!isEmpty(backend, y, ...inputs) || inside)
    compute(backend, y.dataId, inputs, x.shape, conv, inside ? backend.at(inside) : null, relu ? 1 : 0);
  // Lists of one value a channel stretch along the channels, wherever these are.
  const along = (info: Info | undefined): Info | undefined =>
    info && !last && info.shape.length === 1
      ? { dataId: info.dataId, shape: [info.shape[0] as number, ...conv.kernel.map(() => 1)], dtype: info.dtype }
      : info;
  const rest = relu ? { ...attrs, activation: 'linear' } : attrs;
  applyActivation(backend, y, inside ? undefined : along(bias), rest, along(preluActivationWeights));
  return y;
}

type Of = Windows & { readonly inputShape: Shape; readonly filterShape: Shape };

function backwardInput(
  backend: Backend,
  op: string,
  { dy, filter }: { dy: Info; filter: Info },
  attrs: Of,
  depthwise: boolean,
): Info {
  const conv = measure(op, attrs.inputShape, filter.shape, attrs, depthwise);
  const g = beginning(backend, op, dy, conv.y);
  const dx = backend.make(attrs.inputShape, 'float32');
  if (isEmpty(backend, dx, g, backend.at(filter))) return dx;
  const call = {
    ...{
      g: imagesFor(backend, g, conv.y, conv),
      w: filterOf(backend, backend.at(filter), conv),
      bias: null,
      dims: conv.dims,
    },
  };
  writing(backend, dx.dataId, dx.shape, conv, (to) => {
    if (conv.last && !conv.turns) backend.kernels.conv_nhwc_backward_input_f32({ dx: to, ...call });
    else backend.kernels.conv_backward_input_f32({ dx: to, ...call });
  });
  return dx;
}

function backwardFilter(
  backend: Backend,
  op: string,
  { x, dy }: { x: Info; dy: Info },
  attrs: Of,
  depthwise: boolean,
): Info {
  const conv = measure(op, x.shape, attrs.filterShape, attrs, depthwise);
  const g = beginning(backend, op, dy, conv.y);
  const dw = backend.make(attrs.filterShape, 'float32');
  if (isEmpty(backend, dw, g, backend.at(x))) return dw;
  const call = {
    ...{ g: imagesFor(backend, g, conv.y, conv), x: imagesFor(backend, backend.at(x), x.shape, conv), dims: conv.dims },
  };
  if (conv.last && !conv.turns)
    backend.kernels.conv_nhwc_backward_weight_f32({ dw: dw.dataId, ...call, first: 0, taps: numelOf(conv.kernel) });
  else {
    const first = backend.temporary(dw.dataId.size, 'float32');
    backend.kernels.conv_backward_weight_f32({ dw: first, ...call });
    permute(backend, dw.dataId, first, conv, true);
  }
  return dw;
}

/** Rows of a convolution. */
const plain = (op: string, depthwise: boolean): Row =>
  row({ x: F, filter: F }, (backend, inputs, attrs: Windows) => convolve(backend, op, inputs, attrs, depthwise));
const fused = (op: string, depthwise: boolean): Row =>
  row(
    { x: F, filter: F, bias: maybe(F), preluActivationWeights: maybe(F) },
    (backend, inputs, attrs: Windows & Fused) => convolve(backend, op, inputs, attrs, depthwise),
    (_, attrs) => isFusable(attrs),
  );
const byInput = (op: string, depthwise: boolean): Row =>
  row({ dy: F, filter: F }, (backend, inputs, attrs: Of) => backwardInput(backend, op, inputs, attrs, depthwise));
const byFilter = (op: string, depthwise: boolean): Row =>
  row({ x: F, dy: F }, (backend, inputs, attrs: Of) => backwardFilter(backend, op, inputs, attrs, depthwise));

export const conv: Family = {
  kernels: [convKernels],
  rows: {
    Conv2D: plain('conv2d', false),
    FusedConv2D: fused('fused.conv2d', false),
    Conv2DBackpropInput: byInput('conv2dBackpropInput', false),
    Conv2DBackpropFilter: byFilter('conv2dBackpropFilter', false),
    DepthwiseConv2dNative: plain('depthwiseConv2d', true),
    FusedDepthwiseConv2D: fused('fused.depthwiseConv2d', true),
    DepthwiseConv2dNativeBackpropInput: byInput('depthwiseConv2dBackpropInput', true),
    DepthwiseConv2dNativeBackpropFilter: byFilter('depthwiseConv2dBackpropFilter', true),
    Conv3D: plain('conv3d', false),
    Conv3DBackpropInputV2: byInput('conv3dBackpropInput', false),
    Conv3DBackpropFilterV2: byFilter('conv3dBackpropFilter', false),
  },
};

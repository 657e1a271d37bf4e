// How windows slide over images, as TensorFlow.js works it out for convolutions and pools of two axes and of three.
import { ArgumentError, formatShape, ShapeError } from '../../memory/errors.ts';
import { contiguousStrides, numelOf, type Shape, sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import type { Info } from '../engine.ts';
import { copy } from './layout.ts';

/** An axis, as the kernels take it: output o starts at o * stride - padding. */
export interface Axis {
  readonly size: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** Attributes that say how windows slide. */
export interface Windows {
  readonly strides: number | readonly number[];
  /** A list has a pair for each dim of the image. */
  readonly pad: 'same' | 'valid' | number | readonly (readonly [number, number])[];
  readonly dilations?: number | readonly number[] | null;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil' | null;
  readonly dataFormat?: string | null;
}

/** Whether channels are the last dim of images: they are unless the format says that they are the second. */
export const isLast = ({ dataFormat }: Pick<Windows, 'dataFormat'>): boolean => !dataFormat?.startsWith('NC');

/** The dims of an image in front of which and behind which channels are. */
export const spatialOf = (shape: Shape, last: boolean): Shape => (last ? shape.slice(1, -1) : shape.slice(2));
export const channelsOf = (shape: Shape, last: boolean): number => shape[last ? shape.length - 1 : 1] as number;
/** The shape of images with other dims. */
export const imagesOf = (batch: number, sizes: Shape, channels: number, last: boolean): Shape =>
  last ? [batch, ...sizes, channels] : [batch, channels, ...sizes];

const each = (value: number | readonly number[], n: number): readonly number[] =>
  typeof value === 'number' ? new Array<number>(n).fill(value) : value;

/** What one axis of windows is given. */
interface Given {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

/** How many elements a kernel spans. */
const reachOf = ({ kernel, dilation }: Given): number => (kernel - 1) * Math.max(dilation, 1) + 1;

/** The padding in front, and the count of results. */
function slide(axes: readonly Given[], d: number, attrs: Windows): [padding: number, outputs: number] {
  const { pad, dimRoundingMode } = attrs;
  const axis = axes[d] as Given;
  const { size, stride } = axis;
  const reach = reachOf(axis);
  const round = Math[dimRoundingMode ?? 'trunc'];
  const flat = axes.length === 2;
  if (pad === 'same') {
    const outputs = Math.ceil(size / stride);
    const missing = (outputs - 1) * stride + reach - size;
    return [Math.floor((flat ? Math.max(missing, 0) : missing) / 2), outputs];
  }
  if (pad === 'valid' && flat) return [0, Math.ceil((size - reach + 1) / stride)];
  if (typeof pad === 'object') {
    const [before, behind] = pad[d + (isLast(attrs) ? 1 : 2)] as readonly [number, number];
    return [before, round((size - reach + before + behind) / stride + 1)];
  }
  const padding = pad === 'valid' ? 0 : pad;
  const counts = flat ? (axes[0] as Given) : axis;
  const room = size - reachOf(counts) + 2 * padding;
  return [padding, flat || room >= 0 ? round(room / counts.stride + 1) : 0];
}

/**
 * The axes of windows of size `kernel` over images of `sizes`. What is odd is tfjs's: with one number for `pad` the
 * results of both axes of an image are counted by the first kernel and stride, and 'same' may cut a volume, though no
 * image. @throws ArgumentError, ShapeError
 */
export function axesOf(op: string, sizes: Shape, kernel: Shape, attrs: Windows): Axis[] {
  const [strides, dilations] = [each(attrs.strides, sizes.length), each(attrs.dilations ?? 1, sizes.length)];
  const given = sizes.map(
    (size, d): Given => ({
      size,
      ...{ kernel: kernel[d] as number, stride: strides[d] as number, dilation: dilations[d] as number },
    }),
  );
  return given.map((axis, d) => {
    const [padding, outputs] = slide(given, d, attrs);
    if (!Number.isInteger(padding) || Number.isNaN(outputs))
      throw new ArgumentError(
        `${op}: expected pad 'same', 'valid', or whole numbers, got ${JSON.stringify(attrs.pad)}; round it`,
      );
    if (outputs < 0)
      throw new ShapeError(
        `${op}: expected windows that fit the padded image ${formatShape(sizes)}, got ${formatShape(kernel)}; pad more`,
      );
    // -0 is no size.
    return { ...axis, outputs: outputs + 0, padding, dilation: Math.max(axis.dilation, 1) };
  });
}

/** The axes as words of a kernel's `dims`, with axes of one element in front of those that are missing of three. */
export function axisWords(axes: readonly Axis[]): number[] {
  const words: number[] = [];
  for (let missing = axes.length; missing < 3; missing++) words.push(1, 1, 1, 1, 0, 1);
  for (const { size, outputs, kernel, stride, padding, dilation } of axes)
    words.push(size, outputs, kernel, stride, padding, dilation);
  return words;
}

/** A gradient of `shape`: tfjs lets larger ones through, which begin with it. @throws ShapeError for smaller ones */
export function beginning(backend: Backend, op: string, dy: Info, shape: Shape): Data {
  const data = backend.at(dy);
  if (sameShape(dy.shape, shape)) return data;
  if (dy.shape.length !== shape.length || dy.shape.some((n, d) => n < (shape[d] as number)))
    throw new ShapeError(`${op}: expected dy of shape ${formatShape(shape)}, got ${formatShape(dy.shape)}; resize it`);
  const part = backend.temporary(numelOf(shape), 'float32');
  copy(backend.kernels, 'float32', part, data, shape, contiguousStrides(shape), contiguousStrides(dy.shape));
  return part;
}

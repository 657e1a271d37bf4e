// What convolutions and pools have in common: windows and their padding.
import { ArgumentError } from '../../memory/errors.ts';
import type { Shape } from '../../tensor.ts';
import type { Call } from '../operator.ts';

/** Windows along the spatial dims. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: number[];
  readonly behind: number[];
}

/** A list for each of `spatial` dims. @throws ArgumentError */
export function each(call: Call, name: string, spatial: number, otherwise: number): readonly number[] {
  const list = call.ints(name) ?? new Array<number>(spatial).fill(otherwise);
  if (list.length !== spatial)
    throw new ArgumentError(`${call.node.op}: expected ${spatial} ${name}, got ${list.length}; mend the model`);
  return list;
}

export const AUTO = ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'] as const;

/** How wide a window is. */
export const reach = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/** The windows of a convolution or a pool over images of `size`. */
export function windowsOf(call: Call, size: Shape, kernel: readonly number[]): Windows {
  const spatial = size.length;
  const stride = each(call, 'strides', spatial, 1);
  const dilation = each(call, 'dilations', spatial, 1);
  const pads = call.ints('pads') ?? new Array<number>(2 * spatial).fill(0);
  const auto = call.word('auto_pad', ...AUTO);
  if (kernel.length !== spatial || pads.length !== 2 * spatial)
    throw new ArgumentError(
      `${call.node.op}: expected a kernel of ${spatial} dims and ${2 * spatial} pads, got ${kernel.length} and ${pads.length}`,
    );
  const windows = { kernel, stride, dilation, before: pads.slice(0, spatial), behind: pads.slice(spatial) };
  if (auto === 'NOTSET') return windows;
  const missing = size.map((length, d) => {
    if (auto === 'VALID') return 0;
    const [step, width] = [stride[d] as number, reach(kernel[d] as number, dilation[d] as number)];
    return Math.max(0, (Math.ceil(length / step) - 1) * step + width - length);
  });
  const less = missing.map((n) => Math.floor(n / 2));
  const more = missing.map((n) => Math.ceil(n / 2));
  return { ...windows, before: auto === 'SAME_LOWER' ? more : less, behind: auto === 'SAME_LOWER' ? less : more };
}

/** Pairs before and behind, from the last dim on, as pad() takes them. */
export const around = ({ before, behind }: Pick<Windows, 'before' | 'behind'>): number[] =>
  before.map((_, i) => before.length - 1 - i).flatMap((d) => [before[d] as number, behind[d] as number]);

// How tensors print: as PyTorch prints them, in JavaScript's words.
import type { Dtype, TypedArray } from './dtypes.ts';
import { formatShape } from './memory/errors.ts';
import type { Shape } from './sizes.ts';

/** Up to here all elements are printed, and given to JSON; of more, the first and last of each dim. */
export const MOST_PRINTED = 1000;
const EDGE = 3;
/** Columns. */
const WIDTH = 80;
const HEAD = 'tensor(';

/** What JSON has of a tensor. */
export interface TensorJson {
  /** The element type. */
  dtype: Dtype;
  /** Sizes, outermost first. */
  shape: Shape;
  /** Nested arrays of the elements, up to 1000; NaN and infinities as text. */
  values?: unknown;
  /** Of more elements: what toString() gives. */
  text?: string;
}

/** What text() has to know of a tensor. */
export interface Printed {
  readonly dtype: Dtype;
  readonly sizes: readonly number[];
  readonly size: number;
  readonly requiresGrad: boolean;
  /** The elements `from` … `to` − 1 of the row at `index`, which has all dims but the last. */
  row(index: readonly number[], from: number, to: number): TypedArray;
}

/** The positions of a dim of `size` that are printed, in runs. */
function runs(size: number, whole: boolean): [from: number, to: number][] {
  return whole || size <= 2 * EDGE
    ? [[0, size]]
    : [
        [0, EDGE],
        [size - EDGE, size],
      ];
}

/** Writes numbers so that all of them are told apart: whole ones as they are, others to four digits. */
function writer(values: readonly number[], dtype: Dtype): (value: number) => string {
  const finite = values.filter(Number.isFinite);
  if (dtype !== 'f32' || finite.every((value) => Number.isInteger(value) && Math.abs(value) < 1e8)) return String;
  const sizes = finite.filter((value) => value !== 0).map(Math.abs);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const exponents = most / least > 1000 || most > 1e8 || least < 1e-4;
  return (value) => {
    if (!Number.isFinite(value)) return String(value);
    return exponents ? value.toExponential(4) : value.toFixed(4);
  };
}

/** `tensor([[1, 2], [3, 4]], { dtype: 'i32' })`: its numbers, and what differs from what tensor() makes of them. */
export function textOf(x: Printed): string {
  const { sizes } = x;
  const whole = x.size <= MOST_PRINTED;
  const depth = sizes.length;
  const rows: number[][] = [];
  const collect = (index: readonly number[]): void => {
    if (index.length >= depth - 1) {
      const parts =
        depth === 0
          ? [x.row([], 0, 1)]
          : runs(sizes[depth - 1] as number, whole).map(([from, to]) => x.row(index, from, to));
      rows.push(parts.flatMap((part) => [...part]));
    } else
      for (const [from, to] of runs(sizes[index.length] as number, whole))
        for (let i = from; i < to; i++) collect([...index, i]);
  };
  if (x.size > 0) collect([]);

  const write = writer(rows.flat(), x.dtype);
  const texts = rows.map((row) => row.map(write));
  const width = Math.max(0, ...texts.flat().map((text) => text.length));
  let at = 0;
  const line = (): string => {
    const items = (texts[at++] as string[]).map((text) => text.padStart(width));
    if (items.length < (sizes[depth - 1] as number)) items.splice(EDGE, 0, '…');
    const indent = HEAD.length + depth;
    const perLine = Math.max(1, Math.floor((WIDTH - indent) / (width + 2)));
    const lines: string[] = [];
    for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(', '));
    return `[${lines.join(`,\n${' '.repeat(indent)}`)}]`;
  };
  const block = (dim: number): string => {
    if (dim === depth) return (texts[0] as string[])[0] as string;
    if (dim === depth - 1) return line();
    const items = runs(sizes[dim] as number, whole).map(([from, to]) =>
      Array.from({ length: to - from }, () => block(dim + 1)),
    );
    const between = `,${'\n'.repeat(depth - dim - 1)}${' '.repeat(HEAD.length + dim + 1)}`;
    return `[${items.map((parts) => parts.join(between)).join(`${between}…${between}`)}]`;
  };
  return withOptions(x, x.size === 0 ? '[]' : block(0), !whole || x.size === 0);
}

/** `tensor(numbers, options)`, the options being those that are not tensor()'s own defaults. */
export function withOptions(
  { dtype, sizes, requiresGrad }: Omit<Printed, 'row'>,
  numbers: string,
  shaped = true,
): string {
  const options = [
    ...(shaped ? [`shape: ${formatShape(sizes)}`] : []),
    ...(dtype === 'f32' ? [] : [`dtype: '${dtype}'`]),
    ...(requiresGrad ? ['requiresGrad: true'] : []),
  ];
  return `${HEAD}${numbers}${options.length > 0 ? `, { ${options.join(', ')} }` : ''})`;
}

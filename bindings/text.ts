// How tensors print: as PyTorch prints them, in JavaScript's words.
import type { Dtype, TypedArray } from './dtypes.ts';
import { formatShape, RecordingError, ShapeError } from './memory/errors.ts';
import type { Shape } from './sizes.ts';

/** Up to here all elements are printed, and given to JSON; of more, the first and last of each dim. */
const MOST_PRINTED = 1000;
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

/** What stands for the numbers of a tensor that compile() traces. */
const TRACED = 'traced';

/** What has to be known of a tensor. */
interface Printed<T = unknown> {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
  readonly offset: number;
  readonly size: number;
  readonly requiresGrad: boolean;
  readonly block: { readonly freed: boolean };
  alias(shape: readonly number[], strides: readonly number[], offset: number): T;
  item(): number;
  toArray(): unknown;
  toString(): string;
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

/** The elements that are printed, a list for each row, which has all dims but the last. */
function rowsOf<T>(x: Printed<T>, whole: boolean, read: (part: T) => TypedArray): number[][] {
  const { sizes, steps } = x;
  const depth = sizes.length;
  const rows: number[][] = [];
  const collect = (dim: number, offset: number): void => {
    const step = steps[dim] ?? 1;
    if (dim >= depth - 1) {
      const parts = runs(sizes[dim] ?? 1, whole).map(([from, to]) =>
        x.alias([to - from], [step], offset + from * step),
      );
      rows.push(parts.flatMap((part) => [...read(part)]));
    } else
      for (const [from, to] of runs(sizes[dim] as number, whole))
        for (let i = from; i < to; i++) collect(dim + 1, offset + i * step);
  };
  if (x.size > 0) collect(0, x.offset);
  return rows;
}

/** The rows in brackets, as they are nested. */
function nested({ sizes }: Pick<Printed, 'sizes'>, whole: boolean, texts: readonly string[][]): string {
  const depth = sizes.length;
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
  return block(0);
}

/** `tensor(numbers, options)`, the options being those that are not tensor()'s own defaults. */
function withOptions(
  { dtype, sizes, requiresGrad }: Pick<Printed, 'dtype' | 'sizes' | 'requiresGrad'>,
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

/**
 * `tensor([[1, 2], [3, 4]], { dtype: 'i32' })`: its numbers, and what differs from what tensor() makes of them.
 * @param read the numbers of a part
 */
export function textOf<T>(x: Printed<T>, read: (part: T) => TypedArray): string {
  if (x.block.freed) return withOptions(x, 'freed');
  const whole = x.size <= MOST_PRINTED;
  let rows: number[][];
  try {
    rows = rowsOf(x, whole, read);
  } catch (error) {
    // While compile() traces there are no numbers yet.
    if (error instanceof RecordingError) return withOptions(x, TRACED);
    throw error;
  }
  const write = writer(rows.flat(), x.dtype);
  const texts = rows.map((row) => row.map(write));
  return withOptions(x, x.size === 0 ? '[]' : nested(x, whole, texts), !whole || x.size === 0);
}

/** What JSON gets: values, or of many only their text. JSON has no word for NaN and Infinity, and would write null. */
export function jsonOf(x: Printed): TensorJson {
  const { dtype, shape, size } = x;
  const worded = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(worded) : Number.isFinite(value) ? value : String(value);
  return size > MOST_PRINTED ? { dtype, shape, text: x.toString() } : { dtype, shape, values: worded(x.toArray()) };
}

/** What stands for a tensor where JavaScript wants a number or, by `hint`, text. */
export function numberOf(x: Printed, hint: string): number | string {
  if (hint === 'string') {
    const text = x.toString();
    return x.sizes.length > 0 || x.block.freed || text.includes(TRACED) ? text : String(x.item());
  }
  if (x.size !== 1)
    throw new ShapeError(
      `tensor: expected one element where JavaScript needs a number, got shape ${formatShape(x.sizes)}; use add(), gt() and the like, toArray(), or \`\${x}\` for text`,
    );
  return x.item();
}

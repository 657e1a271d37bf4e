// Weights as lists of numbers: turned, and out of fewer bits.
import { runtime } from '../../engine/engine.ts';
import type { Operand } from '../../kernels/descriptor.ts';
import type { Block } from '../../memory/arena.ts';
import { loopDims } from '../../ops/shapes.ts';
import { contiguousStrides, type Shape } from '../../sizes.ts';

type Room = (bytes: number) => { readonly block: Block; readonly byteOffset: number };

/** Calls `fn` with what gives it memory for the time of the call. */
function withRoom<T>(fn: (room: Room) => T): T {
  const { arena } = runtime();
  const blocks: Block[] = [];
  try {
    return fn((bytes) => {
      const block = arena.bare(bytes, 'weights');
      blocks.push(block);
      return { block, byteOffset: 0 };
    });
  } finally {
    for (const block of blocks) block.free();
  }
}

const read = ({ block }: Operand, n: number): Float32Array =>
  runtime().arena.f32.slice(block.ptr / 4, block.ptr / 4 + n);

/** The numbers with their dims in another order. */
export function permuted(values: Float32Array, dims: Shape, axes: readonly number[]): Float32Array {
  const n = values.length;
  return withRoom((room) => {
    const [x, y] = [room(4 * n), room(4 * n)];
    const { arena, kernels } = runtime();
    arena.f32.set(values, x.block.ptr / 4);
    const from = contiguousStrides(dims);
    const shape = axes.map((axis) => dims[axis] as number);
    const steps = axes.map((axis) => from[axis] as number);
    kernels.copy_32({ y, x, dims: loopDims(shape, contiguousStrides(shape), steps) });
    return read(y, n);
  });
}

/** The first two gates in each other's place. */
export function swapped(values: Float32Array, size: number | undefined): Float32Array {
  if (size === undefined) return values;
  const result = values.slice();
  result.set(values.subarray(size, 2 * size), 0);
  result.set(values.subarray(0, size), size);
  return result;
}

/** scale q + min, of whole numbers q of one byte each, or of two, the low one first. */
export function dequantized(bytes: Uint8Array, wide: 1 | 2, scale: number, min: number): Float32Array {
  const n = bytes.length / wide;
  return withRoom((room) => {
    const [raw, each, y, high] = [room(bytes.length), room(n), room(4 * n), room(4 * n)] as const;
    const { arena, kernels } = runtime();
    arena.u8.set(bytes, raw.block.ptr);
    const byte = (at: number, to: Operand): void => {
      kernels.copy_8({ y: each, x: { ...raw, byteOffset: at }, dims: loopDims([n], [1], [wide]) });
      kernels.cast_u8_f32({ y: to, x: each, n });
    };
    byte(0, y);
    if (wide === 2) {
      byte(1, high);
      kernels.scale_f32({ y: high, x: high, n, alpha: 256, beta: 0 });
      kernels.add_forward_f32({ y, a: y, b: high, dims: [1, n, 1, 1] });
    }
    kernels.scale_f32({ y, x: y, n, alpha: scale, beta: min });
    return read(y, n);
  });
}

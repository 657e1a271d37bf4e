// Failures on purpose, and what must be as it was after them.
import { runtime } from '../../bindings/engine/engine.ts';
import { OutOfMemoryError } from '../../bindings/memory/errors.ts';
import { type Shape, Tensor } from '../../bindings/tensor.ts';
import { nd } from '../../reference/nd.ts';
import { bits, inLayout, toTensor } from './tensors.ts';

/**
 * Calls `act` again and again, out of memory at its first allocation, at its second, … until it has enough.
 * @param failed called after each failure
 * @returns how many failures there were
 */
export function failAllocations(act: () => void, failed: (at: number) => void): number {
  const { arena } = runtime();
  const { allocate } = arena;
  for (let at = 0; ; at++) {
    let left = at;
    let ran = false;
    arena.allocate = function (this: typeof arena, ...args) {
      if (left-- > 0) return allocate.apply(this, args);
      throw new OutOfMemoryError(0, 0, 0);
    } as typeof allocate;
    try {
      act();
      ran = true;
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
    } finally {
      arena.allocate = allocate;
    }
    if (ran) return at;
    failed(at);
  }
}

/** Bits, and bits of the gradients, of all of `xs`. */
export const imageOf = (xs: readonly Tensor[]): (string | null)[] =>
  xs.flatMap((x) => [bits(x), x.grad && !x.grad.block.freed ? bits(x.grad) : null]);

/** What cannot be the gradient of a tensor of `shape`, which has two dims at least that are larger than 1. */
export const wrongGradients: Readonly<Record<string, (shape: Shape) => unknown>> = {
  'a number': () => 1,
  'an array': () => [1, 2],
  'a boolean': () => true,
  'of i32': (shape) => Tensor.allocate(shape, 'i32', 'test'),
  'of u8': (shape) => Tensor.allocate(shape, 'u8', 'test'),
  smaller: (shape) => Tensor.allocate(shape.slice(1), 'f32', 'test'),
  larger: (shape) => Tensor.allocate([2, ...shape], 'f32', 'test'),
  'of as many elements': (shape) => Tensor.allocate([shape.reduce((a, b) => a * b, 1)], 'f32', 'test'),
  freed: (shape) => {
    const x = Tensor.allocate(shape, 'f32', 'test');
    x.dispose();
    return x;
  },
  expanded: (shape) =>
    Tensor.allocate([1], 'f32', 'test').alias(
      shape,
      shape.map(() => 0),
      0,
    ),
  transposed: (shape) => inLayout(nd(shape, new Float64Array(shape.reduce((a, b) => a * b, 1))), 'f32', 'transposed'),
  stepped: (shape) => inLayout(nd(shape, new Float64Array(shape.reduce((a, b) => a * b, 1))), 'f32', 'stepped'),
};

/** A tensor of its own with numbers that differ. */
export const numbered = (shape: Shape, from = 0): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return toTensor(
    nd(
      shape,
      Float64Array.from({ length: size }, (_, i) => Math.sin(from + i + 1)),
    ),
  );
};

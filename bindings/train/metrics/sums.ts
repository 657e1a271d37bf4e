// Sums over any number of batches in f32 that come out as in f64: beside each sum stands the sum of what rounding lost.
import { withoutTape } from '../../autograd.ts';
import { tensor, zeros } from '../../creation.ts';
import { aside } from '../../execute.ts';
import { add, copy_, sub, zero_ } from '../../functional/functions.ts';
import { numelOf, type Shape, type Tensor } from '../../tensor.ts';

/** Tensors of sums, which live as long as their metric, so that programs write to them. */
export class Sums {
  readonly shape: Shape;
  readonly #high: Tensor;
  readonly #low: Tensor;

  constructor(shape: Shape) {
    this.shape = shape;
    // Not a part of a program that is traced meanwhile.
    const made = (): Tensor => aside(() => withoutTape(() => zeros([...shape]).keep()));
    [this.#high, this.#low] = [made(), made()];
  }

  /** Adds x, f32 of this shape (D. Knuth's sum of two numbers and of its error). */
  add(x: Tensor): void {
    const [high, low] = [this.#high, this.#low];
    const sum = add(high, x);
    const taken = sub(sum, high);
    const lost = add(sub(high, sub(sum, taken)), sub(x, taken));
    copy_(low, add(low, lost));
    copy_(high, sum);
  }

  /** The sums as f32, for what is computed with them. */
  now(): Tensor {
    return this.#high;
  }

  clear(): void {
    zero_(this.#high);
    zero_(this.#low);
  }

  /** The sums. What is not finite has lost nothing to rounding. */
  read(): Float64Array {
    const low = this.#low.data;
    return Float64Array.from(this.#high.data, (x, i) => (Number.isFinite(x) ? x + (low[i] as number) : x));
  }

  write(values: Float64Array): void {
    const high = Float32Array.from(values);
    this.load([...high, ...values.map((x, i) => x - (high[i] as number))]);
  }

  /** Both tensors one after the other, for {@link load}. */
  save(): Float32Array {
    return Float32Array.of(...this.#high.data, ...this.#low.data);
  }

  load(values: ArrayLike<number>): void {
    const count = numelOf(this.shape);
    [this.#high, this.#low].forEach((x, i) => {
      const part = tensor(
        Float32Array.from({ length: count }, (_, j) => values[i * count + j] as number),
        {
          shape: this.shape,
        },
      );
      copy_(x, part);
      part.dispose();
    });
  }
}

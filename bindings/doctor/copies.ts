// Copies of tensors, to compare with later and to put back.
import { ops, withoutTape } from '../autograd.ts';
import { sameShape } from '../sizes.ts';
import { Tensor } from '../tensor.ts';

/** Copies of a list of tensors, in memory that the next copies use again. */
export class Copies {
  #of: readonly Tensor[] = [];
  #keys: readonly Tensor[] = [];
  #copies: Tensor[] = [];

  /** Whether there are any. */
  get taken(): boolean {
    return this.#of.length > 0;
  }

  /** @param keys by which {@link of} finds them */
  take(xs: readonly Tensor[], keys = xs): void {
    withoutTape(() => {
      xs.forEach((x, i) => {
        const before = this.#copies[i];
        const fits = before && before.dtype === x.dtype && sameShape(before.sizes, x.sizes);
        if (!fits) before?.dispose();
        const y = fits ? before : Tensor.allocate(x.sizes, x.dtype, 'doctor').keep();
        this.#copies[i] = y;
        ops.copy({ y, x });
      });
      for (const extra of this.#copies.splice(xs.length)) extra.dispose();
    });
    this.#of = [...xs];
    this.#keys = [...keys];
  }

  /** The copy of what has the key x, if there is one. */
  of(x: Tensor): Tensor | null {
    const at = this.#keys.indexOf(x);
    return at < 0 ? null : (this.#copies[at] as Tensor);
  }

  /** Writes the copies where they come from. */
  putBack(): void {
    withoutTape(() =>
      this.#of.forEach((y, i) => {
        const x = this.#copies[i] as Tensor;
        if (!y.block.freed && sameShape(x.sizes, y.sizes)) ops.copy({ y, x });
      }),
    );
  }

  /** Has no copies any more. */
  clear(): void {
    for (const x of this.#copies) x.dispose();
    this.#copies = [];
    this.#of = [];
    this.#keys = [];
  }
}

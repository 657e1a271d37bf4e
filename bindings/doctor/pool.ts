// Batches that the doctor keeps to look at again.
import { withoutTape } from '../autograd.ts';
import * as F from '../functional/functions.ts';
import type { Tensor } from '../tensor.ts';
import { flat, joined } from './data.ts';
import type { Batch } from './evaluate.ts';
import type { Batches } from './options.ts';

/** As many rows say enough. */
const MOST_ROWS = 1024;
const MOST_BYTES = 64 << 20;

const kept = (x: Tensor): Tensor => withoutTape(() => F.clone(x.detach())).keep();

/** Copies of batches, up to a limit. */
export class Pool {
  readonly batches: Batch[] = [];
  rows = 0;
  #bytes = 0;

  get full(): boolean {
    return this.rows >= MOST_ROWS || this.#bytes >= MOST_BYTES;
  }

  add(x: Tensor, y: Tensor): void {
    this.batches.push([kept(x), kept(y)]);
    this.rows += x.sizes[0] ?? 1;
    this.#bytes += 4 * (x.size + y.size);
  }

  /** The first batches of `source`, as far as there is room. */
  fill(source: Batches | null | undefined): void {
    if (!source) return;
    for (const [x, y] of source) {
      if (!x || !y) continue;
      this.add(x, y);
      if (this.full) break;
    }
  }

  clear(): void {
    for (const [x, y] of this.batches.splice(0)) {
      x.dispose();
      y.dispose();
    }
    this.rows = 0;
    this.#bytes = 0;
  }
}

/** Whether rows of the first batches and of the last are not alike: as where another model makes them. */
export function drifts(batches: readonly Batch[]): boolean {
  const third = Math.floor(batches.length / 3);
  if (third < 3) return false;
  const [early, late] = [joined(batches.slice(0, third)), joined(batches.slice(-third))];
  return [0, 1].some((i) => {
    const [a, b] = [early?.[i], late?.[i]];
    if (a?.dtype !== 'f32' || !b || a.size === 0 || a.size / (a.sizes[0] ?? 1) !== b.size / (b.sizes[0] ?? 1))
      return false;
    const [p, q] = [flat(a), flat(b)];
    const error = (x: Tensor): Tensor => F.div(F.square(F.std(x, 0, { correction: 0 })), x.sizes[0] as number);
    const apart = F.square(F.sub(F.mean(p, 0), F.mean(q, 0)));
    return F.max(F.div(apart, F.add(F.add(error(p), error(q)), 1e-12))).item() > 36;
  });
}

// Batches that the doctor keeps to look at again.
import { withoutTape } from '../autograd.ts';
import * as F from '../functional/functions.ts';
import type { Tensor } from '../tensor.ts';
import { flat, joined } from './data.ts';
import type { Batch } from './evaluate.ts';
import type { Batches } from './options.ts';

/** As many rows say enough, */
const MOST_ROWS = 1024;
/** and no more memory than this is taken for them: */
const MOST_BYTES = 4 << 20;
/** of wide ones fewer of each batch, so that there are some batches, */
const LEAST_BATCHES = 8;
/** and of the widest as many as a norm needs. */
const LEAST_ROWS = 16;

const bytesOf = (x: Tensor): number => 4 * x.size;
const kept = (x: Tensor, rows: number): Tensor =>
  withoutTape(() => F.clone(rows < (x.sizes[0] ?? 0) ? x.detach().narrow(0, 0, rows) : x.detach())).keep();

/** Copies of batches, up to a limit. */
export class Pool {
  readonly batches: Batch[] = [];
  rows = 0;
  #bytes = 0;

  get full(): boolean {
    return this.rows >= MOST_ROWS || this.#bytes >= MOST_BYTES;
  }

  add(x: Tensor, y: Tensor): void {
    const all = x.sizes[0] ?? 1;
    const fit = Math.floor((MOST_BYTES / LEAST_BATCHES / Math.max(1, bytesOf(x) + bytesOf(y))) * all);
    // Without a dim of rows in common there is nothing to cut.
    const rows = x.sizes[0] === y.sizes[0] ? Math.min(all, Math.max(LEAST_ROWS, fit)) : all;
    const batch = [kept(x, rows), kept(y, rows)] as const;
    this.batches.push(batch);
    this.rows += rows;
    this.#bytes += bytesOf(batch[0]) + bytesOf(batch[1]);
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

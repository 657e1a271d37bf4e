// Products in the space of Winograd's algorithm: one for each place of a transformed tile.
import { runWithLowTile, runWithTile } from "../../gemm/tiles";
import { beat } from "../../program/threads";
import { PLACES } from "./transforms";

/** Bytes between places: a line of cache keeps their starts out of one set of the cache. */
@inline
export const GAP: usize = 64;

/**
 * C = (add ? C : 0) + A B, place by place: panels of MR rows and of NR columns, k steps each, rows of C `rowBytes`
 * apart. Place after place lies cPlace, aPlace and bPlace bytes apart.
 */
@final
@unmanaged
export class Places {
  c: usize;
  cPlace: usize;
  rowBytes: usize;
  private a: usize;
  private aPlace: usize;
  private m: i32;
  private b: usize;
  private bPlace: usize;
  private n: i32;
  k: i32;
  add: bool;

  /** m rows of A and n columns of B; `low`: A has panels of 4 rows, whichever tile is chosen. */
  multiply(a: usize, aPlace: usize, m: i32, b: usize, bPlace: usize, n: i32, low: bool): void {
    this.a = a;
    this.aPlace = aPlace;
    this.m = m;
    this.b = b;
    this.bPlace = bPlace;
    this.n = n;
    beat();
    if (low) runWithLowTile(this);
    else runWithTile(this);
  }

  run<T>(): void {
    const tile = changetype<T>(0);
    const mr = tile.mr(),
      nr = tile.nr();
    const aStep = (<usize>mr) << 2,
      bStep = (<usize>nr) << 2;
    const k = this.k,
      rowBytes = this.rowBytes,
      add = this.add;
    let a = this.a,
      b = this.b,
      c = this.c;
    for (let s: usize = 0; s < PLACES; s++) {
      let bp = b,
        column = c;
      for (let j = this.n; j > 0; j -= nr) {
        let ap = a,
          to = column;
        for (let i = this.m; i > 0; i -= mr) {
          tile.run(k, ap, aStep, bp, bStep, to, rowBytes, add);
          ap += aStep * <usize>k;
          to += rowBytes * <usize>mr;
        }
        bp += bStep * <usize>k;
        column += bStep;
      }
      a += this.aPlace;
      b += this.bPlace;
      c += this.cPlace;
    }
  }
}

// The register tile that the products of this instance use: the only place that knows all of them.

import { Tile4x8, Tile6x8 } from "./tiles8";
import { Tile4x16, Tile6x16 } from "./tiles16";

/** How many tiles there are. */
export const TILES: i32 = 4;

let tile: i32 = 0;

/** Chooses the tile of later products: 0 is 4x8, 1 is 6x8, 2 is 4x16, 3 is 6x16. Other numbers choose 0. */
@inline
export function chooseTile(id: i32): void {
  tile = <u32>id < <u32>TILES ? id : 0;
}

/** Whether the chosen tile has 16 columns, and not 8. */
@inline
export function isWide(): bool {
  return tile > 1;
}

/** Rows of the chosen tile. */
@inline
export function tileRows(): i32 {
  return tile & 1 ? 6 : 4;
}

/** Columns of the chosen tile. */
@inline
export function tileColumns(): i32 {
  return isWide() ? 16 : 8;
}

/** Calls `job.run<T>()`, where T is the chosen tile. */
export function runWithTile<J>(job: J): void {
  switch (tile) {
    case 1:
      job.run<Tile6x8>();
      break;
    case 2:
      job.run<Tile4x16>();
      break;
    case 3:
      job.run<Tile6x16>();
      break;
    default:
      job.run<Tile4x8>();
  }
}

/** Likewise, with the tile of 4 rows and as many columns as the chosen one. */
export function runWithLowTile<J>(job: J): void {
  if (isWide()) job.run<Tile4x16>();
  else job.run<Tile4x8>();
}

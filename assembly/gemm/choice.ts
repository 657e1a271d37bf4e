// The register tile that products of this instance use; see gemm_set_tile.

let tile: i32 = 0;

@inline
export function chosenTile(): i32 {
  return tile;
}

@inline
export function chooseTile(id: i32): void {
  tile = id;
}

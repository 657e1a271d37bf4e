// What the loops over planes share. Where a plane is padded, its columns have a zero of the workspace beside them.

/** In the workspace, behind room for two vectors: zeros. */
@inline
export function zeroOf(workspace: usize): usize {
  return workspace + 32;
}

@inline
export function evens(p: usize): v128 {
  return v128.shuffle<i32>(v128.load(p), v128.load(p, 16), 0, 2, 4, 6);
}
@inline
export function odds(p: usize): v128 {
  return v128.shuffle<i32>(v128.load(p), v128.load(p, 16), 1, 3, 5, 7);
}

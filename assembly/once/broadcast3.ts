// The loop of ../broadcast3.ts for one vector; see loops.ts. Of bytes, the low four count.

@inline
export function broadcast3<K, _T>(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  v128.store(out, changetype<K>(0).step(v128.load(cond), v128.load(a), v128.load(b)));
}

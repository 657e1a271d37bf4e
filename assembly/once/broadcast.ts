// The loops of ../broadcast.ts for one vector; see loops.ts. Of bytes, the low four count.
import { narrowed } from "../lanes";

@final
@unmanaged
export class Values<F> {
  @inline step(a: v128, b: v128): v128 {
    return changetype<F>(0).forward(a, b);
  }
}

@final
@unmanaged
export class Integers<F> {
  @inline step(a: v128, b: v128): v128 {
    return changetype<F>(0).forward(a, b);
  }
}

@final
@unmanaged
export class Flags<F> {
  @inline step(a: v128, b: v128): v128 {
    const flags = i32x4.shr_u(changetype<F>(0).forward(a, b), 31);
    return narrowed(flags, flags, flags, flags);
  }
}

@inline
export function broadcast2<K, _T>(out: usize, a: usize, b: usize, dims: usize): void {
  v128.store(out, changetype<K>(0).step(v128.load(a), v128.load(b)));
}

@inline
export function broadcastSwapped2<K, _T>(out: usize, a: usize, b: usize, dims: usize): void {
  v128.store(out, changetype<K>(0).step(v128.load(b), v128.load(a)));
}

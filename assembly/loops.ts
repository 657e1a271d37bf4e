export function map1<F>(out: usize, x: usize, n: i32, p: f32, q: f32): void {
  const f = changetype<F>(0);
  const pv = f32x4.splat(p), qv = f32x4.splat(q);
  const end = out + (<usize>n << 2);
  const vectorEnd = out + ((<usize>n & ~15) << 2);
  while (out < vectorEnd) {
    v128.store(out, f.forward(v128.load(x), pv, qv));
    v128.store(out, f.forward(v128.load(x, 16), pv, qv), 16);
    v128.store(out, f.forward(v128.load(x, 32), pv, qv), 32);
    v128.store(out, f.forward(v128.load(x, 48), pv, qv), 48);
    out += 64; x += 64;
  }
  while (out < end) {
    v128.store32_lane(out, f.forward(v128.load32_zero(x), pv, qv), 0);
    out += 4; x += 4;
  }
}

// Floats of 16 bits, which not every engine has arrays of.

/** IEEE 754 binary16, by value; NaNs keep their sign and payload. */
export function fromFloat16(source: Uint16Array): Float32Array {
  const out = new Float32Array(source.length);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < source.length; i++) {
    const half = source[i] as number;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      // Zeros and denormals are whole multiples of 2^-24; OR-ing the sign bit in keeps -0.
      out[i] = fraction * 2 ** -24;
      bits[i] = (bits[i] as number) | sign;
    } else {
      const biased = exponent === 0x1f ? 0xff : exponent + 112;
      bits[i] = sign | (biased << 23) | (fraction << 13);
    }
  }
  return out;
}

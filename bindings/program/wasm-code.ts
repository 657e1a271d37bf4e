// Instructions and sections of WebAssembly, as bytes.

// Opcodes.
export const BLOCK = 0x02;
export const LOOP = 0x03;
export const BLOCK_END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const VOID = 0x40;
export const LOCAL_GET = 0x20;
export const LOCAL_SET = 0x21;
export const LOCAL_TEE = 0x22;
export const I32_LOAD = 0x28;
export const I32_CONST = 0x41;
export const I32_LT = 0x48;
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_MUL = 0x6c;
// Of vectors, behind 0xfd: loads and stores of vectors, of one element for all, and of the first element.
export const V_LOAD = 0;
export const V_SPLAT_1 = 7;
export const V_SPLAT_4 = 9;
export const V_STORE = 11;
export const V_STORE_1 = 0x58;
export const V_STORE_4 = 0x5a;
export const V_ZERO_4 = 0x5c;
export const BITSELECT = 0x52;
export const F_ADD = 0xe4;
export const F_SUB = 0xe5;
export const F_MUL = 0xe6;
export const R_MADD = 0x105;
export const R_NMADD = 0x106;
export const R_SELECT = 0x10b;
// Types.
export const I32 = 0x7f;
export const V128 = 0x7b;
export const FUNCTION = 0x60;

/** Instructions, as bytes. */
export class Code {
  readonly bytes: number[] = [];

  byte(...bytes: readonly number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  /** A number in signed LEB128, which is right for unsigned ones too where they are read as such. */
  number(value: number): this {
    for (let left = value; ; left >>= 7) {
      const last = left >> 6 === 0 || left >> 6 === -1;
      this.bytes.push((left & 127) | (last ? 0 : 128));
      if (last) return this;
    }
  }

  /** A number in unsigned LEB128. */
  count(value: number): this {
    for (let left = value; ; left >>>= 7) {
      this.bytes.push((left & 127) | (left > 127 ? 128 : 0));
      if (left < 128) return this;
    }
  }

  local(op: number, index: number): this {
    return this.byte(op).count(index);
  }

  constant(value: number): this {
    return this.byte(I32_CONST).number(value);
  }

  simd(op: number): this {
    return this.byte(0xfd).count(op);
  }

  /** A load or a store at an address that is on the stack. @param lane stores one */
  memory(op: number, offset: number, lane?: number): this {
    this.simd(op).byte(0).count(offset);
    return lane === undefined ? this : this.byte(lane);
  }

  /** Its length, and it. */
  sized(other: Code): this {
    this.count(other.bytes.length);
    for (const byte of other.bytes) this.bytes.push(byte);
    return this;
  }
}

/** A name. */
export const text = (name: string): Code => {
  const bytes = Array.from(name, (character) => character.charCodeAt(0));
  return new Code().count(bytes.length).byte(...bytes);
};

/** A section of a module. */
export function section(id: number, content: Code): number[] {
  return new Code().byte(id).sized(content).bytes;
}

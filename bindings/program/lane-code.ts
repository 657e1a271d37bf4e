// How bindings/generated/lanes.ts says what a kernel does to a vector: runs of bytes that are instructions as they are,
// each behind its length, and behind each run a mark: a local that the run's end reads or writes, an instruction that
// builds differ in, or the end.

/** Marks: these and, in the low five bits, which local. */
export const GET = 0x20;
export const SET = 0x40;
export const TEE = 0x60;
/** Marks of instructions: a * b + c, c - a * b, and a choice. */
export const MADD = 0x80;
export const NMADD = 0x81;
export const SELECT = 0x82;
export const END = 0xff;

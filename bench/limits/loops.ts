// A few loops assembled by hand, for limits and comparisons that no kernel may influence. One function a module.

/** One f32x4 instruction or constant on a stack machine. */
export const ops = {
  mul: [0xfd, 0xe6, 0x01],
  add: [0xfd, 0xe4, 0x01],
  madd: [0xfd, 0x85, 0x02], // relaxed
  gt: [0xfd, 0x44],
  and: [0xfd, 0x4e],
  zero: [0xfd, 0x0c, ...new Array<number>(16).fill(0)],
} as const;

const I32 = 0x7f;
const V128 = 0x7b;

/** Unsigned LEB128. */
function leb(n: number): number[] {
  return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...leb(n >>> 7)];
}
/** Signed LEB128. */
function sleb(n: number): number[] {
  return n >= -64 && n < 64 ? [n & 0x7f] : [(n & 0x7f) | 0x80, ...sleb(n >> 7)];
}
const section = (id: number, ...body: number[]): number[] => [id, ...leb(body.length), ...body];
const get = (local: number): number[] => [0x20, ...leb(local)];
const set = (local: number): number[] => [0x21, ...leb(local)];
const increase = (local: number, by: number): number[] => [...get(local), 0x41, ...sleb(by), 0x6a, ...set(local)];
const load = (pointer: number, offset: number): number[] => [...get(pointer), 0xfd, 0x00, 4, ...leb(offset)];
const store = (pointer: number, offset: number, value: readonly number[]): number[] => [
  ...get(pointer),
  ...value,
  0xfd,
  0x0b,
  4,
  ...leb(offset),
];
/** Repeats `body` until i32 local `counter` is 0, which the body counts down. */
const until0 = (counter: number, ...body: number[]): number[] => [0x03, 0x40, ...body, ...get(counter), 0x0d, 0, 0x0b];

/** A function of `params` i32 with `vectors` more locals, over the memory it imports. */
function link(memory: WebAssembly.Memory, params: number, vectors: number, body: readonly number[]): CallableFunction {
  const code = [...(vectors > 0 ? [1, ...leb(vectors), V128] : [0]), ...body, 0x0b];
  const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
  const bytes = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, params, ...new Array<number>(params).fill(I32), 0),
    ...section(2, 1, ...name('env'), ...name('memory'), 2, 0, 0),
    ...section(3, 1, 0),
    ...section(7, 1, ...name('f'), 0, 0),
    ...section(10, 1, ...leb(code.length), ...code),
  ]);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return instance.exports.f as CallableFunction;
}

/**
 * `unroll` independent chains c = c·h + h, four lanes each, in registers alone: (iterations, pointer), 8 · unroll
 * floating-point operations an iteration. h comes from memory, so that engines cannot fold it; the sum of the chains
 * goes back there.
 */
export function maddLoop(
  memory: WebAssembly.Memory,
  unroll: number,
  relaxed: boolean,
): (iterations: number, pointer: number) => void {
  const [iterations, pointer, h] = [0, 1, 2];
  const chain = (i: number): number => 3 + i;
  const chains = Array.from({ length: unroll }, (_, i) => i);
  const step = relaxed ? [...get(h), ...ops.madd] : [...ops.mul, ...get(h), ...ops.add];
  const body = [
    ...[...load(pointer, 0), ...set(h)],
    ...chains.flatMap((i) => [...load(pointer, 16 * (i + 1)), ...set(chain(i))]),
    ...until0(
      iterations,
      ...chains.flatMap((i) => [...get(chain(i)), ...get(h), ...step, ...set(chain(i))]),
      ...increase(iterations, -1),
    ),
    ...store(
      pointer,
      0,
      chains.flatMap((i) => [...get(chain(i)), ...(i > 0 ? ops.add : [])]),
    ),
  ];
  return link(memory, 2, unroll + 1, body) as (iterations: number, pointer: number) => void;
}

/** Bytes that a streaming loop takes in one turn. */
const TURN = 64;

/**
 * out[i] = f of the pointers' elements, front to back: (out, …inputs, bytes), bytes a positive multiple of 64.
 * `inputs`: how many; `value` gets the code that loads each of them, and that of what `out` holds, and gives the code
 * of the value.
 */
export function streamLoop(
  memory: WebAssembly.Memory,
  inputs: number,
  value: (loads: readonly (readonly number[])[], old: readonly number[]) => readonly number[],
): (...args: number[]) => void {
  const pointers = Array.from({ length: inputs + 1 }, (_, i) => i);
  const bytes = inputs + 1;
  const offsets = [0, 16, 32, 48];
  const body = until0(
    bytes,
    ...offsets.flatMap((at) =>
      store(
        0,
        at,
        value(
          pointers.slice(1).map((p) => load(p, at)),
          load(0, at),
        ),
      ),
    ),
    ...pointers.flatMap((p) => increase(p, TURN)),
    ...increase(bytes, -TURN),
  );
  return link(memory, inputs + 2, 0, body) as (...args: number[]) => void;
}

/** memory.copy: (to, from, bytes). */
export function copyInstruction(memory: WebAssembly.Memory): (...args: number[]) => void {
  return link(memory, 3, 0, [...get(0), ...get(1), ...get(2), 0xfc, 0x0a, 0, 0]) as (...args: number[]) => void;
}

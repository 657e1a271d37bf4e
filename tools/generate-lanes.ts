// Writes bindings/generated/lanes.ts: what elementwise kernels do to a vector, as instructions of WebAssembly, of which
// bindings/program/loop-kernels.ts makes a kernel for a whole chain. It compiles the kernels' own files of assembly/,
// with the loops of assembly/once/, which go over one vector, in place of theirs.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { main } from 'assemblyscript/asc';
import type { Kernel } from '../bindings/kernels/descriptor.ts';
import { table } from '../bindings/kernels/table.ts';
import { END, GET, MADD, NMADD, SELECT, SET, TEE } from '../bindings/program/lane-code.ts';

const FILE = 'bindings/generated/lanes.ts';
const FOLDER = 'assembly/elementwise';
/** Loops, and what stands in for them. */
const STAND_INS: Readonly<Record<string, string>> = {
  'assembly/loops.ts': 'assembly/once/loops.ts',
  'assembly/broadcast.ts': 'assembly/once/broadcast.ts',
  'assembly/broadcast3.ts': 'assembly/once/broadcast3.ts',
};
const ENTRY = 'lanes.ts';

/** The files with loops that have a stand-in. */
const sources = readdirSync(FOLDER).filter((file) =>
  /from "\.\.\/(loops|broadcast3?)"/.test(readFileSync(join(FOLDER, file), 'utf8')),
);

/** A file as asc asks for it. */
function readFile(name: string, base: string): string | null {
  const file = normalize(name);
  if (file === ENTRY)
    return sources.map((source) => `export * from "./${FOLDER}/${source.slice(0, -'.ts'.length)}";\n`).join('');
  if (file === 'asconfig.json') return null; // it lists all kernels
  const standIn = STAND_INS[file];
  try {
    const text = readFileSync(join(base, standIn ?? file), 'utf8');
    return standIn ? text.replaceAll('from "../', 'from "./') : text;
  } catch {
    return null;
  }
}

async function compile(): Promise<Uint8Array> {
  const made = new Map<string, string | Uint8Array>();
  const options = ['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--enable', 'simd,relaxed-simd'];
  const { error, stderr } = await main([ENTRY, '--outFile', 'lanes.wasm', ...options], {
    readFile,
    writeFile: (name, contents) => void made.set(name, contents),
  });
  if (error) throw new Error(`generate-lanes: ${stderr}`);
  return made.get('lanes.wasm') as Uint8Array;
}

/** Reads a module from its first byte on. */
class Reader {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(): number {
    return this.bytes[this.at++] as number;
  }

  /** A number in LEB128. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.number() }, read);
  }

  part(bytes: number): Uint8Array {
    this.at += bytes;
    return this.bytes.subarray(this.at - bytes, this.at);
  }
}

/** The exported functions of a module by name, and the bytes of each. */
function functionsOf(module: Uint8Array): Map<string, Uint8Array> {
  const reader = new Reader(module);
  reader.at = 8;
  const exported: [name: string, index: number][] = [];
  let bodies: Uint8Array[] = [];
  while (reader.at < module.length) {
    const section = reader.byte();
    const end = reader.number() + reader.at;
    if (section === 7)
      for (const [name, kind, index] of reader.list(() => {
        const text = Buffer.from(reader.part(reader.number())).toString();
        return [text, reader.byte(), reader.number()] as const;
      }))
        if (kind === 0) exported.push([name, index]);
    if (section === 10) bodies = reader.list(() => reader.part(reader.number()));
    reader.at = end;
  }
  return new Map(exported.map(([name, index]) => [name, bodies[index] as Uint8Array]));
}

const V128 = 0x7b;
const LOCAL_GET = 0x20;
/** Marks of what locals are for. */
const MARKS: Readonly<Record<number, number>> = { [LOCAL_GET]: GET, 33: SET, 34: TEE };
const F32_REINTERPRET = 0xbc;
const SIMD = 0xfd;

/** An instruction: its first byte, or 0x100 and the number of a vector's; its bytes; and of a local which. */
interface Instruction {
  readonly code: number;
  readonly bytes: Uint8Array;
  readonly local: number;
}
const simd = (code: number): number => 0x100 + code;
const [LOAD, STORE, CONST, SHUFFLE] = [simd(0), simd(11), simd(12), simd(13)];
const RELAXED: Readonly<Record<number, number>> = {
  [simd(0x105)]: MADD,
  [simd(0x106)]: NMADD,
  [simd(0x10b)]: SELECT,
};

/** The next instruction; null: one that has no business in what is done to a vector, such as a call or a loop. */
function instruction(reader: Reader): Instruction | null {
  const from = reader.at;
  const first = reader.byte();
  let code = first;
  let local = -1;
  if (first >= 0x20 && first <= 0x22) local = reader.number();
  else if (first === 0x41) reader.number();
  else if (first === SIMD) {
    code = simd(reader.number());
    if (code === LOAD || code === STORE) {
      reader.number();
      if (reader.number() !== 0) return null;
    } else if (code === CONST || code === SHUFFLE) reader.at += 16;
    // Other loads and stores, lanes one by one, pairs of doubles by relaxed steps: what needs them is long anyway.
    else if (code < SHUFFLE || (code >= simd(0x15) && code <= simd(0x22)) || (code >= simd(0x54) && code <= simd(0x5d)))
      return null;
    else if (code >= simd(0x100) && RELAXED[code] === undefined) return null;
  } else if (first !== F32_REINTERPRET && first !== 0x0b) return null;
  return { code, bytes: reader.bytes.subarray(from, reader.at), local };
}

/** The instructions of a function from end to end; null where there are others than vectors'. */
function instructionsOf(body: Uint8Array): Instruction[] | null {
  const reader = new Reader(body);
  const typeOf = (): number => {
    reader.number(); // of so many locals
    return reader.byte();
  };
  if (reader.list(typeOf).some((type) => type !== V128)) return null;
  const list: Instruction[] = [];
  while (reader.at < body.length) {
    const next = instruction(reader);
    if (!next) return null;
    list.push(next);
  }
  return list;
}

/** Code as lane-code.ts reads it. */
class LaneCode {
  readonly bytes: number[] = [];
  #plain: number[] = [];

  plain(bytes: Iterable<number>): void {
    this.#plain.push(...bytes);
  }

  mark(mark: number): void {
    if (this.#plain.length > 255) throw new Error('generate-lanes: expected at most 255 bytes without a mark');
    this.bytes.push(this.#plain.length, ...this.#plain, mark);
    this.#plain = [];
  }
}

/**
 * What a kernel does to a vector; null where it is not straight. Locals are numbered as the operands, of which the
 * first is the result, and behind them.
 */
function laneCode(body: Uint8Array, { operands }: Kernel): readonly number[] | null {
  const list = instructionsOf(body);
  if (!list) return null;
  const kinds = Object.values(operands).map(({ kind }) => kind);
  const code = new LaneCode();
  const last = list.length - 2; // the end comes behind it
  for (let i = 0; i <= last; i++) {
    const { code: op, bytes, local } = list[i] as Instruction;
    const relaxed = RELAXED[op];
    if ((op === STORE) !== (i === last) || local > 31) return null;
    if (relaxed !== undefined) code.mark(relaxed);
    else if (op === STORE) code.mark(SET);
    else if (local < 0) code.plain(bytes);
    else if (local >= kinds.length) code.mark((MARKS[op] as number) | local);
    else if (local > 0) {
      // Of an operand the address, or the bits that stand for it: its load is left to the loop.
      if (op !== LOCAL_GET || (kinds[local] === 'f32' && list[++i]?.code !== F32_REINTERPRET)) return null;
      if (list[++i]?.code !== LOAD) return null;
      code.mark(GET | local);
    }
  }
  code.mark(END);
  return code.bytes;
}

/** Kernels that leave an operand as it is, by its name: they have loops of their own, and nothing in them. */
const PLAIN: Readonly<Record<string, string>> = { copy_32: 'x', copy_8: 'x', fill_f32: 'value', fill_32: 'value' };

const plainCode = (operand: string, { operands }: Kernel): readonly number[] => [
  ...[0, GET | Object.keys(operands).indexOf(operand)],
  ...[0, SET, 0, END],
];

const functions = functionsOf(await compile());
const lanes = Object.entries(table as Readonly<Record<string, Kernel>>).flatMap(([name, kernel]) => {
  const body = functions.get(name);
  const plain = PLAIN[name];
  const code = plain ? plainCode(plain, kernel) : body && kernel.elementwise ? laneCode(body, kernel) : null;
  return code ? [[name, Buffer.from(code).toString('base64')] as const] : [];
});
const text = `// Written by tools/generate-lanes.ts out of assembly/elementwise/.

/** What kernels do to a vector, in base64, as lane-code.ts reads it. */
export const lanes: Readonly<Record<string, string>> = {
${lanes.map(([name, code]) => `  ${name}: '${code}',\n`).join('')}};
`;
if (process.argv.includes('--list')) console.log(lanes.map(([name]) => name).join(' '));
writeFileSync(FILE, text);

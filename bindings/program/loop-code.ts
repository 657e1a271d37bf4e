// A loop of a program as one function of WebAssembly: what its commands do to a vector one behind the other, so that
// what one leaves for the next stays in a register. It has the bits of the kernels, which lanes.ts comes of.
//
// The function takes the address of the loop's words, and the units it is for. Addresses and numbers stand in the words
// of the commands, where they may change from run to run; all else is constant.
import type { BuildName } from '../engine/builds.ts';
import { lanes } from '../generated/lanes.ts';
import type { operandsOf, Ref } from '../kernels/command.ts';
import type { BufferSpec } from '../kernels/descriptor.ts';
import type { wordsOf } from '../kernels/encode.ts';
import type { Block } from '../memory/arena.ts';
import { END, GET, MADD, SELECT, SET, TEE } from './lane-code.ts';
import type { Task } from './steps.ts';
import {
  BITSELECT,
  BLOCK,
  BLOCK_END,
  BR,
  BR_IF,
  Code,
  F_ADD,
  F_MUL,
  F_SUB,
  FUNCTION,
  I32,
  I32_ADD,
  I32_LOAD,
  I32_LT,
  I32_MUL,
  I32_SUB,
  LOCAL_GET,
  LOCAL_SET,
  LOCAL_TEE,
  LOOP,
  R_MADD,
  R_NMADD,
  R_SELECT,
  section,
  text,
  V_LOAD,
  V_SPLAT_1,
  V_SPLAT_4,
  V_STORE,
  V_STORE_1,
  V_STORE_4,
  V_ZERO_4,
  V128,
  VOID,
} from './wasm-code.ts';

/** Words in front of the arguments of a command, and of the body of a loop: encode.ts writes them. */
const HEADER = 8;

/** What this file has of the library; see loop-kernels.ts. */
export interface Layout {
  readonly operandsOf: typeof operandsOf;
  readonly wordsOf: typeof wordsOf;
}

/** What a loop is for, and where it runs. */
export interface LoopSource {
  readonly tasks: readonly Task[];
  /** Blocks that only the loop itself touches: they stay in registers. */
  readonly inside: ReadonlyMap<Block, number>;
  readonly build: BuildName;
}

// Arguments of the function.
const [WORDS, FROM, TO] = [0, 1, 2];

/** A place that the commands of a loop read or write, unit by unit. */
interface Stream {
  readonly offset: number;
  /** Bytes from one unit to the next. */
  readonly step: number;
  /** Bytes of an element. */
  readonly width: number;
  /** Whether elements of a unit, or units of one element, are neighbours; else it is one number for them. */
  readonly runs: boolean;
  /** Where its address stands, in bytes from the start of the loop. */
  readonly at: number;
  /** It stays in registers. */
  readonly inside: boolean;
  written: boolean;
  /** The locals of its address, of that at the start of a row, and of its value. */
  pointer: number;
  row: number;
  value: number;
}

/** A command: what its code calls a local, by the number of the operand. */
interface Link {
  readonly code: Uint8Array;
  readonly operands: readonly (Stream | Constant | null)[];
}

/** A number of a command, the same for all elements. */
interface Constant {
  readonly at: number;
  value: number;
}

const isStream = (x: Stream | Constant | null | undefined): x is Stream => x !== null && x !== undefined && 'step' in x;

const decoded = new Map<string, Uint8Array>();
function codeOf(kernel: string): Uint8Array | undefined {
  const text = Object.hasOwn(lanes, kernel) ? lanes[kernel] : undefined;
  if (text === undefined) return undefined;
  let code = decoded.get(kernel);
  if (!code) {
    code = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    decoded.set(kernel, code);
  }
  return code;
}

/** Elements from one element of an operand to the next. */
function innerStep({ command, slices }: Task, { axes, type }: BufferSpec, row: number, step: number): number {
  // Units of one element, or rows of these.
  if (row === 1 || slices?.scale !== 1) return step / (row * widthOf(type));
  // A list has the rank, the sizes, and the strides a, b, … of the operands that have any.
  const [rank, ...words] = command.call.dims as readonly [number, ...number[]];
  const stride = axes[0]?.stride;
  return stride ? (words[rank * ('abc'.indexOf(stride.charAt(0)) + 2) - 1] as number) : 1;
}

const widthOf = (type: BufferSpec['type']): 1 | 4 => (type === 'u8' ? 1 : 4);

class LoopWriter {
  readonly #source: LoopSource;
  readonly #layout: Layout;
  readonly #links: Link[] = [];
  readonly #streams = new Map<Block, Stream[]>();
  readonly #all: Stream[] = [];
  readonly #constants: Constant[] = [];
  readonly #row: number;
  readonly #code = new Code();
  #locals = 0;
  #vectors = 0;
  /** Streams whose value is in its local, in the run of elements that is written. */
  readonly #loaded = new Set<Stream>();

  constructor(source: LoopSource, layout: Layout) {
    this.#source = source;
    this.#layout = layout;
    this.#row = source.tasks[0]?.slices?.row ?? 1;
  }

  /** Finds what the commands touch. @returns whether all of it can be written */
  read(): boolean {
    const { wordsOf } = this.#layout;
    let at = 4 * HEADER;
    for (const task of this.#source.tasks) {
      if (!this.#readTask(task, at)) return false;
      at += 4 * wordsOf(task.command);
    }
    return true;
  }

  #readTask(task: Task, start: number): boolean {
    const { kernel } = task.command;
    const { operandsOf } = this.#layout;
    const code = codeOf(kernel);
    if (!code) return false;
    const operands: (Stream | Constant | null)[] = [];
    for (const [i, [name, spec]] of operandsOf(kernel).entries()) {
      const at = start + 4 * (HEADER + i);
      let operand: Stream | Constant | null = null;
      if (spec.kind === 'buffer') {
        const stream = this.#streamOf(task, name, spec, at);
        if (!stream || (i > 0 && stream.inside && !stream.written)) return false;
        stream.written ||= i === 0;
        operand = stream;
      } else if (spec.kind === 'f32' || spec.kind === 'i32') {
        operand = { at, value: 0 };
        this.#constants.push(operand);
      }
      operands.push(operand);
    }
    this.#links.push({ code, operands });
    return true;
  }

  #streamOf(task: Task, name: string, spec: BufferSpec, at: number): Stream | null {
    const { block, offset } = task.command.call[name] as Ref;
    const step = task.slices?.steps[name] ?? 0;
    const width = widthOf(spec.type);
    const inner = innerStep(task, spec, this.#row, step);
    if (inner !== 0 && inner !== 1) return null;
    const runs = inner === 1;
    let known = this.#streams.get(block);
    if (!known) {
      known = [];
      this.#streams.set(block, known);
    }
    let stream = known.find((one) => one.offset === offset && one.step === step && one.runs === runs);
    if (!stream) {
      const inside = this.#source.inside.has(block);
      stream = { offset, step, width, runs, at, inside, written: false, pointer: 0, row: 0, value: 0 };
      known.push(stream);
      this.#all.push(stream);
    }
    return stream;
  }

  /** Gives each its locals. */
  #number(): { readonly left: number; readonly rows: number; readonly temporary: number } {
    let next = TO + 1;
    const left = next++;
    const rows = next++;
    for (const stream of this.#all) {
      if (stream.inside) continue;
      stream.pointer = next++;
      // What goes on where the row before it ended needs no address of its own for the row.
      stream.row = this.#row === 1 || stream.step === this.#row * stream.width ? stream.pointer : next++;
    }
    this.#locals = next - TO - 1;
    const from = next;
    for (const each of [...this.#all, ...this.#constants]) each.value = next++;
    const temporary = next;
    this.#vectors = next - from + MOST_TEMPORARIES;
    return { left, rows, temporary };
  }

  /** The function's code. */
  write(): Code {
    const { left, rows, temporary } = this.#number();
    const code = this.#code;
    for (const { inside, at, row, step } of this.#all) {
      if (inside) continue;
      code.local(LOCAL_GET, WORDS).byte(I32_LOAD, 2).count(at);
      if (step !== 0) code.local(LOCAL_GET, FROM).constant(step).byte(I32_MUL, I32_ADD);
      code.local(LOCAL_SET, row);
    }
    for (const { at, value } of this.#constants)
      code.local(LOCAL_GET, WORDS).memory(V_SPLAT_4, at).local(LOCAL_SET, value);
    this.#splat(({ step }) => step === 0);
    code.local(LOCAL_GET, TO).local(LOCAL_GET, FROM).byte(I32_SUB);
    if (this.#row === 1) {
      code.local(LOCAL_SET, left);
      this.#elements(left, temporary);
    } else {
      code.local(LOCAL_SET, rows);
      this.#while(rows, 1, () => {
        this.#splat(({ step }) => step !== 0);
        for (const { inside, runs, row, pointer } of this.#all)
          if (!inside && runs && row !== pointer) code.local(LOCAL_GET, row).local(LOCAL_SET, pointer);
        code.constant(this.#row).local(LOCAL_SET, left);
        this.#elements(left, temporary);
        for (const { inside, row, pointer, step, runs } of this.#all)
          if (!inside && step !== 0 && (row !== pointer || !runs)) this.#add(row, step);
        this.#add(rows, -1);
      });
    }
    return code.constant(1).byte(BLOCK_END);
  }

  /** Loads numbers that are the same for many elements. */
  #splat(which: (stream: Stream) => boolean): void {
    for (const stream of this.#all) {
      if (stream.runs || !which(stream)) continue;
      const splat = stream.width === 1 ? V_SPLAT_1 : V_SPLAT_4;
      this.#code.local(LOCAL_GET, stream.row).memory(splat, 0).local(LOCAL_SET, stream.value);
    }
  }

  #add(local: number, value: number): void {
    this.#code.local(LOCAL_GET, local).constant(value).byte(I32_ADD).local(LOCAL_SET, local);
  }

  /** `body` again and again, while at least `least` are left. */
  #while(left: number, least: number, body: () => void): void {
    const code = this.#code;
    code.byte(BLOCK, VOID, LOOP, VOID);
    code.local(LOCAL_GET, left).constant(least).byte(I32_LT, BR_IF, 1);
    body();
    code.byte(BR, 0, BLOCK_END, BLOCK_END);
  }

  /**
   * As many elements as are left, a vector at a time and then one by one. Vectors do not wait for each other: two or
   * more at a time were no faster.
   */
  #elements(left: number, temporary: number): void {
    for (const lanes of [4, 1] as const) {
      if (lanes === 1 && this.#row % 4 === 0) continue;
      this.#while(left, lanes, () => {
        this.#body(lanes, temporary);
        for (const { inside, runs, pointer, width } of this.#all)
          if (!inside && runs) this.#add(pointer, lanes * width);
        this.#add(left, -lanes);
      });
    }
  }

  /** What the commands do to a vector, or to one element. */
  #body(lanes: 4 | 1, temporary: number): void {
    const code = this.#code;
    this.#loaded.clear();
    for (const { code: steps, operands } of this.#links) {
      for (const operand of operands.slice(1)) if (isStream(operand)) this.#load(operand, lanes);
      const local = (index: number): number => operands[index]?.value ?? temporary + index - operands.length;
      this.#expand(steps, local, temporary);
      this.#loaded.add(operands[0] as Stream);
    }
    for (const { written, inside, pointer, value, width } of this.#all) {
      if (!written || inside) continue;
      code.local(LOCAL_GET, pointer).local(LOCAL_GET, value);
      if (width === 4 && lanes === 4) code.memory(V_STORE, 0);
      else code.memory(width === 1 && lanes === 1 ? V_STORE_1 : V_STORE_4, 0, 0);
    }
  }

  /** A vector, or an element, into the local of a stream. */
  #load(stream: Stream, lanes: 4 | 1): void {
    const { runs, pointer, value, width } = stream;
    if (!runs || this.#loaded.has(stream)) return;
    this.#loaded.add(stream);
    const op = width === 4 && lanes === 4 ? V_LOAD : width === 1 && lanes === 1 ? V_SPLAT_1 : V_ZERO_4;
    this.#code.local(LOCAL_GET, pointer).memory(op, 0).local(LOCAL_SET, value);
  }

  /** Writes the code of a command with the loop's locals, in the instructions of the kernels' build. */
  #expand(steps: Uint8Array, local: (index: number) => number, temporary: number): void {
    const { bytes } = this.#code;
    for (let i = 0; ; ) {
      const plain = steps[i++] as number;
      for (const end = i + plain; i < end; i++) bytes.push(steps[i] as number);
      const mark = steps[i++] as number;
      if (mark === END) return;
      if (mark >= MADD) this.#step(mark, temporary + MOST_TEMPORARIES - 2);
      else this.#code.local(LOCALS[mark & ~LOWER] as number, local(mark & LOWER));
    }
  }

  /** An instruction that builds differ in. @param kept the first of two locals that are free */
  #step(mark: number, kept: number): void {
    const code = this.#code;
    const relaxed = this.#source.build.startsWith('relaxed');
    if (mark === SELECT) code.simd(relaxed ? R_SELECT : BITSELECT);
    else if (relaxed) code.simd(mark === MADD ? R_MADD : R_NMADD);
    else {
      // The third operand lies on the product.
      code.local(LOCAL_SET, kept).simd(F_MUL);
      if (mark === MADD) code.local(LOCAL_GET, kept).simd(F_ADD);
      else
        code
          .local(LOCAL_SET, kept + 1)
          .local(LOCAL_GET, kept)
          .local(LOCAL_GET, kept + 1)
          .simd(F_SUB);
    }
  }

  /** How many locals of each type the function has beside its arguments. */
  get locals(): Code {
    return new Code().byte(2).count(this.#locals).byte(I32).count(this.#vectors).byte(V128);
  }
}

/** Instructions of marks, whose lower bits say which local. */
const LOCALS: Readonly<Record<number, number>> = { [GET]: LOCAL_GET, [SET]: LOCAL_SET, [TEE]: LOCAL_TEE };
const LOWER = 0x1f;

/** Locals that the code of a command may have of its own, and two for what the strict build has no instruction for. */
const MOST_TEMPORARIES = 34;

/** The module of a loop, whose function is `f`; null where a command of it can be no part of one. */
export function loopModule(source: LoopSource, layout: Layout): Uint8Array<ArrayBuffer> | null {
  const writer = new LoopWriter(source, layout);
  if (!writer.read()) return null;
  const body = writer.write();
  const whole = new Code();
  for (const byte of [...writer.locals.bytes, ...body.bytes]) whole.bytes.push(byte);
  const limits = source.build.endsWith('-threads') ? new Code().byte(3, 0).count(65536) : new Code().byte(0, 0);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, new Code().byte(1, FUNCTION, 3, I32, I32, I32, 1, I32)),
    ...section(2, new Code().byte(1, ...text('env').bytes, ...text('memory').bytes, 2, ...limits.bytes)),
    ...section(3, new Code().byte(1, 0)),
    ...section(7, new Code().byte(1, ...text('f').bytes, 0, 0)),
    ...section(10, new Code().byte(1).sized(whole)),
  ]);
}

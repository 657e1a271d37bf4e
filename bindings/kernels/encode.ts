// Commands as words in memory, as assembly/program/program.ts reads them.
import { type Argument, type Command, operandsOf, type Ref, type Slices } from './command.ts';
import { numberOf } from './table.ts';

/** The step of an argument that is an offset into the scratch: no other has it, as strides may be negative. */
const SCRATCH = -(2 ** 31);
/** What stands for a kernel's number where a loop begins. */
const LOOP = -1;
/** Which word of a command, or of a loop with its body, says how many words it has. */
export const LENGTH_WORD = 1;
/** Words in front of the arguments of a command. */
const HEADER = 8;

/** Writes words to memory, one behind the other: integers, and floats by their bits. */
export class Words {
  readonly #i32: Int32Array;
  readonly #f32: Float32Array;
  /** The number of the next word of the memory. */
  at: number;

  /** @param address of the first word */
  constructor({ i32, f32 }: { readonly i32: Int32Array; readonly f32: Float32Array }, address: number) {
    this.#i32 = i32;
    this.#f32 = f32;
    this.at = address / 4;
  }

  /** Byte address of the next word. */
  get address(): number {
    return 4 * this.at;
  }

  i32(value: number): void {
    this.#i32[this.at++] = value;
  }

  f32(value: number): void {
    this.#f32[this.at++] = value;
  }
}

/** Words that encode() writes for a command. */
export function wordsOf({ kernel, call }: Command): number {
  const operands = operandsOf(kernel);
  const [name, last] = operands[operands.length - 1] as (typeof operands)[number];
  const dims = last.kind === 'list' ? (call[name] as readonly number[]).length : 0;
  return HEADER + 2 * operands.length + dims;
}

/** Words that encodeLoop() writes; the commands of the loop follow. */
export const LOOP_WORDS = HEADER;

/**
 * Writes the header of a loop. @param length words of the whole loop @param block units at a time @param body how many
 * commands
 */
export function encodeLoop(
  words: Words,
  {
    length,
    units,
    block,
    body,
    sync,
  }: Readonly<Record<'length' | 'units' | 'block' | 'body', number>> & { readonly sync: boolean },
): void {
  for (const word of [LOOP, length, Number(sync), units, block, 0, 0, body]) words.i32(word);
}

/**
 * Writes one command: wordsOf() it.
 * @param addressOf the address of a place, given also the number of the word of the memory that it goes to
 * @param scratch of a loop: where its intermediates lie in the scratch of a thread
 */
export function encode(
  words: Words,
  command: Command,
  slices: Slices | null,
  sync: boolean,
  addressOf: (ref: Ref, at: number) => number,
  scratch?: ReadonlyMap<Ref['block'], number>,
): void {
  const { kernel, call } = command;
  const operands = operandsOf(kernel);
  const dimsAddress = words.address + 4 * (HEADER + 2 * operands.length);
  words.i32(numberOf(kernel));
  words.i32(wordsOf(command));
  words.i32(Number(sync));
  words.i32(slices?.units ?? 0);
  words.i32(slices?.grain ?? 1);
  words.i32(slices?.count ?? 0);
  words.i32(operands.length);
  words.i32(slices?.scale ?? 1);
  let dims: readonly number[] = [];
  for (const [name, { kind }] of operands) {
    const argument = call[name] as Argument;
    if (argument === null) words.i32(0);
    else if (kind === 'f32') words.f32(argument as number);
    else if (typeof argument === 'number') words.i32(argument);
    else if (kind === 'list') {
      dims = argument as readonly number[];
      words.i32(dimsAddress);
    } else words.i32(scratch?.get((argument as Ref).block) ?? addressOf(argument as Ref, words.at));
  }
  for (const [name, { kind }] of operands) {
    const argument = call[name] as Argument;
    const inScratch = scratch && kind === 'buffer' && argument && scratch.has((argument as Ref).block);
    words.i32(inScratch ? SCRATCH : (slices?.steps[name] ?? 0));
  }
  for (const word of dims) words.i32(word);
}

// Random numbers of pipelines: from a seed and places alone, so that a pass can be repeated and gone on with.
import { isRunning } from '../../engine/engine.ts';
import { randomWords } from '../../random.ts';

/** A seed from the default generator, which `manualSeed` seeds; before `init()` from the engine's own. */
export function drawSeed(op: string): number {
  return (isRunning() ? randomWords(op, 1) : crypto.getRandomValues(new Uint32Array(1)))[0] as number;
}

/** The seed of a stage that draws: the user's, or one for all passes, which differ by their numbers. */
export class Seed {
  readonly #op: string;
  /** Whether nobody gave it, so that it belongs to where a pass stands. */
  readonly open: boolean;
  #value: number | null;

  constructor(op: string, given: number | null) {
    this.#op = op;
    this.open = given === null;
    this.#value = given;
  }

  get value(): number {
    this.#value ??= drawSeed(this.#op);
    return this.#value;
  }

  set value(value: number) {
    this.#value = value;
  }
}

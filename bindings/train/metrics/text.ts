// Metrics of texts: how many edits lie between what is written and what should be.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Signature, signature } from '../../signature.ts';

/** What a checkpoint keeps of a metric of texts. */
export interface TextState {
  /** Edits so far. */
  edits: number;
  /** Letters or words of all targets so far, or texts. */
  length: number;
}

/** Options of {@link EditDistance}. */
export interface EditOptions {
  /** What another letter costs; one more and one less cost 1. @defaultValue 1 */
  substitutionCost?: number;
  /** The mean over texts, or the sum. @defaultValue 'mean' */
  reduction?: 'mean' | 'sum';
}

/** The least cost to make `a` of `b` by items put in, left out and replaced (V. Levenshtein). */
function distance(a: readonly string[], b: readonly string[], other = 1): number {
  let row = Float64Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, item] of a.entries()) {
    const next = new Float64Array(row.length);
    next[0] = i + 1;
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] as number) + (item === b[j] ? 0 : other);
      next[j + 1] = Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1);
    }
    row = next;
  }
  return row[b.length] as number;
}

const takes = {
  reset: signature('TextMetric.reset()'),
  update: signature('TextMetric.update(output: string|string[], target: string|string[])'),
  compute: signature('TextMetric.compute()'),
  merge: signature('TextMetric.merge(other: object)'),
  state: signature('TextMetric.state()'),
  loadState: signature('TextMetric.loadState(state: object)'),
};

/** A metric of texts that streams over batches. */
export abstract class TextMetric {
  #edits = 0;
  #length = 0;

  /** Forgets what it has seen. */
  reset(...args: []): void {
    takes.reset.parse(args);
    [this.#edits, this.#length] = [0, 0];
  }

  /**
   * Adds texts.
   * @param args what is written, and what should be: a text each, or as many
   * @throws ArgumentError
   */
  update(...args: [output: string | readonly string[], target: string | readonly string[]]): void {
    const [outputs, targets] = takes.update
      .parse(args)
      .slice(0, 2)
      .map((x) => [x].flat()) as [string[], string[]];
    if (outputs.length !== targets.length)
      throw new ArgumentError(`update: expected as many targets as outputs, ${outputs.length}, got ${targets.length}`);
    for (const [i, text] of outputs.entries()) {
      const [edits, length] = this.edits(text, targets[i] as string);
      this.#edits += edits;
      this.#length += length;
    }
  }

  /** The figure over all texts since the last reset; NaN where there were none. */
  compute(...args: []): number {
    takes.compute.parse(args);
    return this.figure(this.#edits, this.#length);
  }

  /** Adds what another metric of the same kind has seen. @throws ArgumentError */
  merge(...args: [other: TextMetric]): void {
    const [other] = takes.merge.parse(args) as [this];
    if (other.constructor !== this.constructor || other === this)
      throw new ArgumentError(`merge: expected another metric of the same class, got ${describe(other)}`);
    this.#edits += other.#edits;
    this.#length += other.#length;
  }

  /** What a checkpoint keeps of it. */
  state(...args: []): TextState {
    takes.state.parse(args);
    return { edits: this.#edits, length: this.#length };
  }

  /** Goes on from a state. @throws ArgumentError for anything else */
  loadState(...args: [state: TextState]): void {
    const [{ edits, length }] = takes.loadState.parse(args) as [TextState];
    if (!(edits >= 0 && length >= 0))
      throw new ArgumentError(`loadState: expected what state() of a metric gave, got ${describe(args[0])}`);
    [this.#edits, this.#length] = [edits, length];
  }

  /** Edits of a text, and what they are a share of. @internal */
  protected abstract edits(output: string, target: string): readonly [edits: number, length: number];

  /** @internal */
  protected figure(edits: number, length: number): number {
    return edits / length;
  }
}

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);
const none = (name: string): Signature => signature(`${name}()`);
const takesWords = none('WordErrorRate');

/** Words that are put in, left out or wrong, by the words of targets (WER). */
export class WordErrorRate extends TextMetric {
  constructor(...args: []) {
    takesWords.parse(args);
    super();
  }

  /** @internal */
  protected edits(output: string, target: string): readonly [number, number] {
    const own = words(target);
    return [distance(words(output), own), own.length];
  }
}

const takesLetters = none('CharErrorRate');

/** Characters that are put in, left out or wrong, by the characters of targets (CER). */
export class CharErrorRate extends TextMetric {
  constructor(...args: []) {
    takesLetters.parse(args);
    super();
  }

  /** @internal */
  protected edits(output: string, target: string): readonly [number, number] {
    const own = [...target];
    return [distance([...output], own), own.length];
  }
}

const takesDistance = signature("EditDistance(substitutionCost: number = 1, reduction: 'mean'|'sum' = 'mean')");

/** How many characters have to be put in, left out or replaced, of each text in the mean, or of all. */
export class EditDistance extends TextMetric {
  readonly #other: number;
  readonly #isSum: boolean;

  constructor(options?: EditOptions);
  constructor(...args: unknown[]) {
    const [other, reduction] = takesDistance.parse(args) as [number, string];
    if (!(other >= 0)) throw new ArgumentError(`EditDistance: expected substitutionCost >= 0, got ${other}`);
    super();
    [this.#other, this.#isSum] = [other, reduction === 'sum'];
  }

  /** @internal */
  protected edits(output: string, target: string): readonly [number, number] {
    return [distance([...output], [...target], this.#other), 1];
  }

  /** @internal */
  protected override figure(edits: number, length: number): number {
    return this.#isSum ? edits : edits / length;
  }
}

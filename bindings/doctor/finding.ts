/** Something that the doctor found in a training. */
export interface Finding {
  /** Its name, such as `'vanishing-gradients'`. */
  readonly id: string;
  /** Faults are wrong; hints are matters of taste, and raise no alarm. */
  readonly kind: 'fault' | 'hint';
  /** The path of a module or parameter, as `namedModules()` and `namedParameters()` have it; null for the whole. */
  readonly where: string | null;
  /** Your line that called that module, or else the model or the doctor; '' where it is not known. */
  readonly line: string;
  /** How sure it is, from 0 to 1. */
  readonly confidence: number;
  /** What is wrong, in a sentence with the figures that say so. */
  readonly what: string;
  /** Why it harms. */
  readonly why: string;
  /** What to change, as code. */
  readonly remedy: string;
}

/** What is wrong, why it harms, and what to change. */
export type Words = [what: string, why: string, remedy: string];

/** A number as it stands in a sentence. */
export const n = (x: number): string => String(Number(x.toPrecision(3)));
/** A share as it stands in a sentence. */
export const percent = (x: number): string => `${n(100 * x)} %`;

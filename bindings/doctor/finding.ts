/** Something that the doctor found in a training. */
export interface Finding {
  /** Its name, such as `'vanishing-gradients'`. */
  readonly id: string;
  /** Faults are wrong; hints are matters of taste, and raise no alarm. */
  readonly kind: 'fault' | 'hint';
  /** The path of a module or parameter, as `namedModules()` and `namedParameters()` have it; null for the whole. */
  readonly where: string | null;
  /** How sure it is, from 0 to 1. */
  readonly confidence: number;
  /** What is wrong, in a sentence with the figures that say so. */
  readonly what: string;
  /** Why it harms. */
  readonly why: string;
  /** What to change, as code. */
  readonly remedy: string;
}

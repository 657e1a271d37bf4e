// What rules say: names of texts, and the figures in them.
import type { Finding } from './finding.ts';
import type { Texts } from './words/words.ts';

/** A text by its name, and the figures in it. */
export type Told = { [K in keyof Texts]: readonly [K, ...Parameters<Texts[K]>] }[keyof Texts];

/** What a rule says: a finding that is put into words later. */
export interface Said extends Pick<Finding, 'id' | 'where' | 'confidence'> {
  readonly kind?: 'hint';
  readonly told: Told;
}

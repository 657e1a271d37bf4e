// What the doctor says, in words. It comes with the first finding: who is well needs none of it.
import type { Words } from '../finding.ts';
import { data } from './data.ts';
import { fit } from './fit.ts';
import { flow } from './flow.ts';
import { loss } from './loss.ts';
import { rate } from './rate.ts';
import { wiring } from './wiring.ts';

const TEXTS = { ...data, ...fit, ...flow, ...loss, ...rate, ...wiring };
export type Texts = typeof TEXTS;

/**
 * What is wrong, why it harms, and what to change.
 * @param told the name of a text, and the figures in it
 */
export function wordsOf([name, ...figures]: readonly [keyof Texts, ...unknown[]]): Words {
  return (TEXTS[name] as (...figures: unknown[]) => Words)(...figures);
}

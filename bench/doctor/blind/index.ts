// Programs by somebody who has not seen the doctor's rules.
import type { Program } from '../program.ts';

export const BLIND: readonly Program[] = [];

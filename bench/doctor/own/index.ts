// Programs by the author of the doctor's rules.
import type { Program } from '../program.ts';

export const OWN: readonly Program[] = [];

// The sets that the doctor is scored on. Those of `blind/` were written by somebody who had not seen its rules.
import { BLIND } from './blind/index.ts';
import { OWN } from './own/index.ts';
import type { ProgramSet } from './program.ts';

export const SETS: readonly ProgramSet[] = [
  { name: 'blind', programs: BLIND },
  { name: 'own', programs: OWN },
];

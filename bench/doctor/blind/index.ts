// Programs by somebody who has not seen the doctor's rules.
import type { Program } from '../program.ts';
import { FITS } from './fits.ts';
import { GRADIENTS } from './gradients.ts';
import { HABITS } from './habits.ts';
import { HEALTHY } from './healthy.ts';
import { HEALTHY_MORE } from './healthy-more.ts';
import { INPUTS } from './inputs.ts';
import { LAYERS } from './layers.ts';
import { NUMBERS } from './numbers.ts';
import { OUTPUTS } from './outputs.ts';
import { PARTS } from './parts.ts';
import { RATES } from './rates.ts';

export const BLIND: readonly Program[] = [
  ...GRADIENTS,
  ...RATES,
  ...FITS,
  ...INPUTS,
  ...NUMBERS,
  ...OUTPUTS,
  ...HABITS,
  ...PARTS,
  ...LAYERS,
  ...HEALTHY,
  ...HEALTHY_MORE,
];

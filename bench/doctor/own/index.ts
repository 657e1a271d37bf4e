// Programs by the author of the doctor's rules.
import type { Program } from '../program.ts';
import { DATA } from './data.ts';
import { FITS } from './fits.ts';
import { GRADIENTS } from './gradients.ts';
import { HEALTHY } from './healthy.ts';
import { LOSSES } from './losses.ts';
import { RATES } from './rates.ts';
import { WIRING } from './wiring.ts';

export const OWN: readonly Program[] = [...GRADIENTS, ...RATES, ...DATA, ...LOSSES, ...WIRING, ...FITS, ...HEALTHY];

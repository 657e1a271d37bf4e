// Programs by the author of the doctor's rules.
import type { Program } from '../program.ts';
import { DATA } from './data.ts';
import { FITS } from './fits.ts';
import { FLOORS } from './floors.ts';
import { GRADIENTS } from './gradients.ts';
import { HEALTHY } from './healthy.ts';
import { LOSSES } from './losses.ts';
import { MORE } from './more.ts';
import { RATES } from './rates.ts';
import { SURROGATES } from './surrogates.ts';
import { WIRING } from './wiring.ts';

export const OWN: readonly Program[] = [
  ...GRADIENTS,
  ...RATES,
  ...DATA,
  ...LOSSES,
  ...WIRING,
  ...FITS,
  ...MORE,
  ...HEALTHY,
  ...FLOORS,
  ...SURROGATES,
];

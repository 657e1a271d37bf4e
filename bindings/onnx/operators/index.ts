// The table of operators: one row each, by families.
import type { Family } from '../operator.ts';
import { activations } from './activation.ts';
import { attentions } from './attention.ts';
import { control } from './control.ts';
import { convolutions } from './conv.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { losses } from './loss.ts';
import { norms } from './norm.ts';
import { pools } from './pool.ts';
import { products } from './products.ts';
import { quantised } from './quantised.ts';
import { rare } from './rare.ts';
import { reductions } from './reduce.ts';
import { places } from './regions.ts';
import { images } from './resize.ts';
import { recurrent } from './rnn.ts';
import { selections } from './select.ts';
import { sequences } from './sequence.ts';
import { shapes } from './shape.ts';
import { signals } from './signal.ts';

/** All operators of ONNX's own domain that there are, by name. */
export const operators: Family = {
  __proto__: null as never,
  ...elementwise,
  ...activations,
  ...shapes,
  ...reductions,
  ...products,
  ...convolutions,
  ...pools,
  ...norms,
  ...indexing,
  ...recurrent,
  ...images,
  ...attentions,
  ...losses,
  ...quantised,
  ...control,
  ...sequences,
  ...signals,
  ...selections,
  ...places,
  ...rare,
};

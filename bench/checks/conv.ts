// Convolutions and their gradients, an element at a time.
import {
  axis,
  channelsLast,
  forTermsOfInput,
  forTermsOfOutput,
  forTermsOfWeight,
  NONE,
  outPixels,
  type Shape,
  sizesOf,
  taps,
} from '../../reference/conv.ts';
import type { Check, ConvProblem } from '../problems.ts';
import { checkElements } from './elements.ts';

/** Multiply-adds that a check may take. */
const EFFORT = 3e7;

const shapeOf = ({ n, channels, filters, height, width, kernel, stride, padding, groups }: ConvProblem): Shape => ({
  batch: n,
  groups,
  ins: channels / groups,
  outs: filters / groups,
  axes: [NONE, axis(height, kernel, stride, padding), axis(width, kernel, stride, padding)],
});

export function checkConv(problem: ConvProblem): Check {
  const shape = shapeOf(problem);
  const sizes = sizesOf(shape);
  const nhwc = problem.kind === 'conv nhwc';
  const given = { x: problem.x, w: problem.weight, g: problem.g };
  const { x, w, g } = nhwc ? channelsLast(shape, given, true) : given;
  const at = (values: Float32Array, i: number): number => values[i] as number;
  /** The sum of an element's terms. */
  const sum = (visitTerms: typeof forTermsOfOutput, term: (y: number, x: number, w: number) => number) => {
    return (element: number): number => {
      let total = 0;
      visitTerms(shape, element, (i, j, k) => {
        total += term(i, j, k);
      });
      return total;
    };
  };
  const { name, element, size, terms } = {
    forward: {
      name: 'y',
      element: sum(forTermsOfOutput, (_, j, k) => at(x, j) * at(w, k)),
      size: sizes.y,
      terms: shape.ins * taps(shape),
    },
    dInput: {
      name: 'dx',
      element: sum(forTermsOfInput, (i, _, k) => at(g, i) * at(w, k)),
      size: sizes.x,
      terms: shape.outs * taps(shape),
    },
    dWeight: {
      name: 'dw',
      element: sum(forTermsOfWeight, (i, j) => at(g, i) * at(x, j)),
      size: sizes.w,
      terms: shape.batch * outPixels(shape),
    },
  }[problem.direction];
  // Reduced arithmetic (Winograd) may lose some digits; 1e-4 of the size that such a sum has.
  const tolerance = { relative: 1e-4, absolute: 1e-4 * Math.sqrt(terms) + 1e-6 };
  const check = checkElements(size, element, tolerance, Math.ceil(EFFORT / terms));
  if (!nhwc) return check;
  return (answer) => check(channelsLast(shape, { [name]: answer }, true)[name] as Float32Array);
}

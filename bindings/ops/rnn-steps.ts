// Steps of recurrent networks and their gradients in ops that have gradients themselves: derivatives of derivatives are
// made of these, where fused kernels have none.
import { add, mul, scale, sub } from './algebra.ts';
import type { Ops, Tensor } from './core.ts';

/** Gradients of the operands of a step. */
export interface StepGrads {
  /** Of the products of the input and of the hidden state. */
  readonly a: Tensor;
  readonly b: Tensor;
  /** Of the hidden state, but for what comes through its product; null: none. */
  readonly h: Tensor | null;
  /** Of the cell state. */
  readonly cell: Tensor | null;
}

/** A step that was made, and how it is reversed. */
export interface Step {
  readonly h: Tensor;
  readonly c: Tensor | null;
  backward(dh: Tensor | null, dc: Tensor | null): StepGrads;
}

/** s (1 − s) of a sigmoid. */
const sigmoidSlope = (o: Ops, s: Tensor): Tensor => sub(o, s, mul(o, s, s));
/** 1 − t². */
const tanhSlope = (o: Ops, t: Tensor): Tensor => scale(o, mul(o, t, t), -1, 1);

/** Part k of a row of `width` numbers each. */
const partOf = (o: Ops, x: Tensor, k: number, width: number): Tensor =>
  o.slice({ x }, { dim: 1, start: k * width, length: width, step: 1 });

/** A step of a long short-term memory. */
export function lstmStep(o: Ops, a: Tensor, b: Tensor, cell: Tensor): Step {
  const width = cell.sizes[1] as number;
  const sum = add(o, a, b);
  const part = (k: number): Tensor => partOf(o, sum, k, width);
  const [input, forget, output] = [0, 1, 3].map((k) => o.sigmoid({ x: part(k) })) as [Tensor, Tensor, Tensor];
  const candidate = o.tanh({ x: part(2) });
  const c = add(o, mul(o, forget, cell), mul(o, input, candidate));
  const squashed = o.tanh({ x: c });
  return {
    h: mul(o, output, squashed),
    c,
    backward(dh, dc) {
      const through = dh && mul(o, mul(o, dh, output), tanhSlope(o, squashed));
      const d = through && dc ? add(o, through, dc) : ((through ?? dc) as Tensor);
      const gates = o.concat(
        {
          xs: [
            mul(o, mul(o, d, candidate), sigmoidSlope(o, input)),
            mul(o, mul(o, d, cell), sigmoidSlope(o, forget)),
            mul(o, mul(o, d, input), tanhSlope(o, candidate)),
            dh ? mul(o, mul(o, dh, squashed), sigmoidSlope(o, output)) : scale(o, output, 0),
          ],
        },
        { dim: 1 },
      );
      return { a: gates, b: gates, h: null, cell: mul(o, d, forget) };
    },
  };
}

// Connectionist temporal classification, before reduction.
import { ctcKernels, ctcProbes } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import {
  attrs,
  aux,
  calling,
  f32,
  family,
  grad,
  i32,
  noSecondDerivative,
  row,
  signature,
  type Tensor,
} from './core.ts';
import { expectShape } from './shapes.ts';

type Blank = { readonly blank: number };

/** Targets [n, labels], of which `lengths` count; of the log-probabilities [time, n, classes] `frames` do. */
const given = optional(() => ({ logp: f32, targets: i32, frames: i32, lengths: i32 }));
const s = optional(() => ({
  ctc: signature(given, { losses: grad, alpha: aux }, attrs<Blank>()),
  ctcBackward: signature({ g: f32, alpha: f32, ...given }, { dlogp: grad, beta: aux }, attrs<Blank>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

interface Given {
  readonly logp: Tensor;
  readonly targets: Tensor;
  readonly frames: Tensor;
  readonly lengths: Tensor;
}

/** The sizes of a call. @throws ShapeError */
function sizesOf(op: string, { logp, targets, frames, lengths }: Given) {
  if (logp.ndim !== 3)
    throw new ShapeError(`${op}: expected log-probabilities [time, n, classes], got ${formatShape(logp.sizes)}`);
  const [time, n, classes] = logp.sizes as readonly number[] as readonly [number, number, number];
  if (targets.ndim !== 2 || targets.sizes[0] !== n)
    throw new ShapeError(`${op}: expected targets [${n}, labels], got ${formatShape(targets.sizes)}`);
  expectShape(op, 'the input lengths', frames, [n]);
  expectShape(op, 'the target lengths', lengths, [n]);
  const labels = targets.sizes[1] as number;
  return { n, time, classes, labels, width: 2 * labels + 1, step: n * classes };
}

export const ctcRows = family(calling(ctcKernels, calling(ctcProbes, s)), () => ({
  ctc: row(s.ctc, {
    outputs: (make, inputs, { blank }, op) => {
      const { n, time, width, classes } = sizesOf(op, inputs);
      if (!(Number.isInteger(blank) && blank >= 0 && blank < classes))
        throw new ArgumentError(`${op}: expected blank from 0 to ${classes - 1}, got ${blank}`);
      return { losses: make([n], 'f32'), alpha: make([n, time, width], 'f32') };
    },
    check: (probes, inputs, _, op) => {
      const { n, time, classes, labels } = sizesOf(op, inputs);
      const { targets, frames, lengths } = inputs;
      const bad = probes.check_ctc_i32({ targets, frames, lengths, n, time, classes, labels });
      if (bad >= 0)
        throw new ArgumentError(
          `${op}: expected input lengths from 0 to ${time}, target lengths from 0 to ${labels} and classes from 0 to ${classes - 1}, got ${frames.data[bad]} and ${lengths.data[bad]}, or a class that there is not, in sample ${bad}`,
        );
    },
    forward: (k, outputs, inputs, { blank }) =>
      k.ctc_forward_f32({ ...outputs, ...inputs, ...sizesOf('ctc', inputs), blank }),
    saves: ['logp', 'targets', 'frames', 'lengths', 'alpha'],
    backward: (o, { losses: g }, saved, attributes) => ({ logp: o.ctcBackward({ g, ...saved }, attributes) }),
  }),
  ctcBackward: row(s.ctcBackward, {
    outputs: (make, { g, alpha, ...inputs }, _, op) => {
      const { n, time, width } = sizesOf(op, inputs);
      expectShape(op, 'the gradient', g, [n]);
      expectShape(op, 'alpha', alpha, [n, time, width]);
      return { dlogp: make(inputs.logp.sizes, 'f32'), beta: make([n, 2, width], 'f32') };
    },
    check: (probes, inputs, _, op) => {
      const { n, time, classes, labels } = sizesOf(op, inputs);
      const { targets, frames, lengths } = inputs;
      if (probes.check_ctc_i32({ targets, frames, lengths, n, time, classes, labels }) >= 0)
        throw new ArgumentError(`${op}: expected lengths and classes that forward took, got others`);
    },
    forward: (k, outputs, { g, alpha, ...inputs }, { blank }) =>
      k.ctc_backward_f32({ ...outputs, g, alpha, ...inputs, ...sizesOf('ctcBackward', inputs), blank }),
    backward: () => noSecondDerivative('ctcLoss'),
  }),
}));

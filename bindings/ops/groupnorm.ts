// Group normalisation: the channels of x [n, channels, ...] in groups, each with the mean and 1/σ of its own elements
// of a sample. Forward leaves them for backward.
import { groupNormKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { attrs, aux, calling, f32, family, grad, maybe, plain, row, signature, type Tensor } from './core.ts';
import { alongChannels, composedNorm, expectOptional, expectSaved, sumToChannels } from './norm.ts';
import { split3 } from './shapes.ts';

type GroupNorm = { readonly groups: number; readonly eps: number };
/** mean and 1/σ are [n, groups]. */
const saved = { g: f32, x: f32, mean: f32, rstd: f32 };

const s = optional(() => ({
  /** weight and bias [channels]. */
  groupNorm: signature(
    { x: f32, weight: maybe(f32), bias: maybe(f32) },
    { y: grad, mean: aux, rstd: aux },
    attrs<GroupNorm>(),
  ),
  groupNormBackward: signature({ ...saved, weight: maybe(f32) }, { dx: plain }),
  groupNormBackwardParams: signature(saved, { dweight: plain, dbias: plain }),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** x as [n, groups, channels of a group, elements of a channel]. @throws ShapeError, ArgumentError */
function sizes(op: string, x: Tensor, groups: number): { n: number; groups: number; c: number; s: number } {
  if (x.ndim < 2) throw new ShapeError(`${op}: expected input [n, channels, ...], got ${formatShape(x.sizes)}`);
  const [n, channels, plane] = split3(x.sizes, 1);
  if (!(Number.isSafeInteger(groups) && groups >= 1) || channels % groups !== 0)
    throw new ArgumentError(
      `${op}: expected groups to be a whole number >= 1 that divides the channels of input ${formatShape(x.sizes)}, got ${groups}`,
    );
  return { n, groups, c: channels / groups, s: plane };
}

type Statistics = { readonly g: Tensor; readonly x: Tensor; readonly mean: Tensor; readonly rstd: Tensor };
const groupsOf = (mean: Tensor): number => mean.sizes[1] ?? 0;

function checkSaved(op: string, inputs: Statistics): void {
  const groups = groupsOf(inputs.mean);
  const { n } = sizes(op, inputs.x, groups);
  expectSaved(op, inputs, [n, groups]);
}

export const groupNormRows = family(calling(groupNormKernels, s), () => ({
  groupNorm: row(s.groupNorm, {
    outputs: (make, { x, weight, bias }, { groups }, op) => {
      const { n, c } = sizes(op, x, groups);
      expectOptional(op, 'weight', weight, [groups * c]);
      expectOptional(op, 'bias', bias, [groups * c]);
      return { y: make(x.sizes, 'f32'), mean: make([n, groups], 'f32'), rstd: make([n, groups], 'f32') };
    },
    forward: (k, { y, mean, rstd }, { x, weight, bias }, { groups, eps }) =>
      k.group_norm_forward_f32({ y, mean, rstd, x, weight, bias, ...sizes('groupNorm', x, groups), eps }),
    saves: ['x', 'weight', 'mean', 'rstd'],
    backward: (o, { y: g }, { x, weight, mean, rstd }, { eps }, { needs, noted }) => {
      if (noted)
        return composedNorm(o, { g, x, weight: weight && alongChannels(o, weight, x) }, eps, {
          fold: (t) => o.reshape({ x: t }, { shape: [mean.size, mean.size ? x.size / mean.size : 0] }),
          unfold: (rows) => o.reshape({ x: rows }, { shape: x.shape }),
          sum: (t) => sumToChannels(o, t),
        });
      const params = needs.weight || needs.bias ? o.groupNormBackwardParams({ g, x, mean, rstd }) : null;
      return {
        x: needs.x ? o.groupNormBackward({ g, x, mean, rstd, weight }) : null,
        weight: params?.dweight,
        bias: params?.dbias,
      };
    },
  }),
  groupNormBackward: row(s.groupNormBackward, {
    outputs: (make, inputs, _, op) => {
      const { x, weight } = inputs;
      checkSaved(op, inputs);
      expectOptional(op, 'weight', weight, [x.sizes[1] as number]);
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, inputs) =>
      k.group_norm_backward_f32({ dx, ...inputs, ...sizes('groupNormBackward', inputs.x, groupsOf(inputs.mean)) }),
  }),
  groupNormBackwardParams: row(s.groupNormBackwardParams, {
    outputs: (make, inputs, _, op) => {
      checkSaved(op, inputs);
      const channels = [inputs.x.sizes[1] as number];
      return { dweight: make(channels, 'f32'), dbias: make(channels, 'f32') };
    },
    forward: (k, { dweight, dbias }, inputs) => {
      const { x, mean } = inputs;
      const call = { dweight, dbias, ...inputs, ...sizes('groupNormBackwardParams', x, groupsOf(mean)) };
      k.group_norm_backward_params_f32({ ...call, first: 0, channels: x.sizes[1] as number });
    },
  }),
}));

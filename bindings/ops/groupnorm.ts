// Group normalisation: the channels of x [n, channels, ...] in groups, each with the mean and 1/σ of its own elements of a
// sample. Forward leaves them for backward.
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { expectDtype, expectShape, like, split3 } from './shapes.ts';
import { noSecondDerivative, type Rows, type Tensor } from './types.ts';

type GroupNorm = { readonly groups: number; readonly eps: number };

export interface GroupNormOps {
  /** weight and bias [channels]. */
  groupNorm(x: Tensor, weight: Tensor | null, bias: Tensor | null, attrs: GroupNorm): Tensor;
  /** mean and 1/σ [n, groups]. */
  groupNormBackward(g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor | null): Tensor;
  /** [2, channels]: the gradients of weight and bias. */
  groupNormBackwardParams(g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor): Tensor;
}

function expectFloats(op: string, what: string, x: Tensor | null, shape: readonly number[]): void {
  if (!x) return;
  expectDtype(op, x, 'f32');
  expectShape(op, what, x, shape);
}

/** x as [n, groups, channels of a group, elements of a channel]. @throws ShapeError, ArgumentError */
function sizes(op: string, x: Tensor, groups: number): [n: number, groups: number, c: number, s: number] {
  if (x.ndim < 2) throw new ShapeError(`${op}: expected input [n, channels, ...], got ${formatShape(x.shape)}`);
  const [n, channels, s] = split3(x.shape, 1);
  if (!(Number.isSafeInteger(groups) && groups >= 1) || channels % groups !== 0)
    throw new ArgumentError(
      `${op}: expected groups to be a whole number >= 1 that divides the channels of input ${formatShape(x.shape)}, got ${groups}`,
    );
  return [n, groups, channels / groups, s];
}

/** The sizes, after checking what forward left. */
function checkSaved(op: string, g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor): [number, number, number, number] {
  expectDtype(op, x, 'f32');
  expectFloats(op, 'the gradient', g, x.shape);
  const groups = mean.shape[1] ?? 0;
  const [n, ...rest] = sizes(op, x, groups);
  expectFloats(op, 'the mean', mean, [n, groups]);
  expectFloats(op, '1/σ', rstd, [n, groups]);
  return [n, ...rest];
}

/** Row `i` of a [2, channels] tensor. */
const half = (params: Tensor, i: number): Tensor => {
  const n = params.shape[1] as number;
  return params.view([n], [1], params.offset + i * n);
};

export const groupNormRows: Rows<GroupNormOps> = {
  groupNorm: {
    infer: ([x, weight, bias], { groups }) => {
      expectDtype('groupNorm', x, 'f32');
      const [n, , c] = sizes('groupNorm', x, groups);
      expectFloats('groupNorm', 'weight', weight, [groups * c]);
      expectFloats('groupNorm', 'bias', bias, [groups * c]);
      const statistic = { shape: [n, groups], dtype: 'f32' } as const;
      return [like(x), statistic, statistic]; // result, mean, 1/σ
    },
    forward: (k, outputs, [x, weight, bias], { groups, eps }) => {
      const [y, mean, rstd] = outputs as [Tensor, Tensor, Tensor];
      k.group_norm_forward_f32(y, mean, rstd, x, weight, bias, ...sizes('groupNorm', x, groups), eps);
    },
    saves: 'both',
    backward: (o, g, { inputs: [x, weight], outputs, needs }) => {
      const [, mean, rstd] = outputs as [Tensor, Tensor, Tensor];
      const params = needs[1] || needs[2] ? o.groupNormBackwardParams(g, x, mean, rstd) : null;
      const part = (i: number): Tensor => {
        const row = o.slice(params as Tensor, { dim: 0, start: i, length: 1, step: 1 });
        return o.reshape(row, { shape: [x.shape[1] as number] });
      };
      return [
        needs[0] ? o.groupNormBackward(g, x, mean, rstd, weight) : null,
        needs[1] ? part(0) : null,
        needs[2] ? part(1) : null,
      ];
    },
  },
  groupNormBackward: {
    infer: ([g, x, mean, rstd, weight]) => {
      checkSaved('groupNormBackward', g, x, mean, rstd);
      expectFloats('groupNormBackward', 'weight', weight, [x.shape[1] as number]);
      return [like(x)];
    },
    forward: (k, [dx], [g, x, mean, rstd, weight]) =>
      k.group_norm_backward_f32(
        dx as Tensor,
        g,
        x,
        mean,
        rstd,
        weight,
        ...sizes('groupNormBackward', x, mean.shape[1] as number),
      ),
    saves: 'none',
    backward: noSecondDerivative('groupNorm'),
  },
  groupNormBackwardParams: {
    infer: ([g, x, mean, rstd]) => {
      checkSaved('groupNormBackwardParams', g, x, mean, rstd);
      return [{ shape: [2, x.shape[1] as number], dtype: 'f32' }];
    },
    forward: (k, [out], [g, x, mean, rstd]) => {
      const params = out as Tensor;
      k.group_norm_backward_params_f32(
        half(params, 0),
        half(params, 1),
        g,
        x,
        mean,
        rstd,
        ...sizes('groupNormBackwardParams', x, mean.shape[1] as number),
        0,
        x.shape[1] as number,
      );
    },
    saves: 'none',
    backward: noSecondDerivative('groupNorm'),
  },
};

// Methods that write their tensor in place: each is a function, and copy_() of what that gives. So results that are
// stretched or of another dtype are refused or cast in one place, and a recorded write gets its history there.
import { notes, ops } from '../autograd.ts';
import { dtypes } from '../dtypes.ts';
import { DtypeError } from '../memory/errors.ts';
import { scope } from '../scope.ts';
import { callable } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { copy_ } from './inplace.ts';

/** The functions that have such a method, `x.add_(y)` for `add(x, y)`: those of PyTorch. */
export const overwriting = [
  'abs',
  'add',
  'bitwiseAnd',
  'bitwiseNot',
  'bitwiseOr',
  'bitwiseXor',
  'ceil',
  'clamp',
  'cos',
  'cumsum',
  'div',
  'eq',
  'erf',
  'exp',
  'expm1',
  'floor',
  'ge',
  'gt',
  'le',
  'lerp',
  'log',
  'log1p',
  'logicalAnd',
  'logicalNot',
  'logicalOr',
  'logicalXor',
  'lt',
  'maskedFill',
  'mul',
  'ne',
  'neg',
  'pow',
  'reciprocal',
  'relu',
  'round',
  'rsqrt',
  'scatterAdd',
  'sigmoid',
  'sign',
  'sin',
  'sqrt',
  'square',
  'sub',
  'tanh',
  'trunc',
] as const;

/** A function of a tensor and of whatever else. */
type Fn = (x: Tensor, ...rest: never[]) => Tensor;

const wantsGrad = (x: unknown): boolean => x instanceof Tensor && x.requiresGrad;

/** @throws DtypeError where a fraction would go into an integer */
function write(x: Tensor, y: Tensor): void {
  if (dtypes[y.dtype].floating && !dtypes[x.dtype].floating)
    throw new DtypeError(`copy_: expected a result that fits ${x.dtype}, got f32; convert x with .to('f32')`);
  copy_(x, y);
}

function overwrite(x: Tensor, fn: Fn, rest: readonly unknown[]): Tensor {
  const call = (on: Tensor): void => write(x, fn(on, ...(rest as never[])));
  if (!notes() || !(wantsGrad(x) || rest.some(wantsGrad))) scope(() => call(x));
  else {
    // A leaf is refused before anything is made for it. Of others the op may save what is written: it gets a copy.
    if (wantsGrad(x) && (x.source?.base ?? x).isLeaf) copy_(x, x);
    call(ops.contiguous({ x }));
  }
  return x;
}

/** The method of `fn`, whose signature is `text`. */
export const inplace = (fn: Fn, text: string): Fn => {
  const byName = /\*, (\w+):/.exec(text)?.[1]; // the last one
  return callable(
    text.replace('(', '_(').replace(', -inplace: bool = false', ''),
    (x: Tensor, other: unknown, ...rest: unknown[]): Tensor =>
      overwrite(x, fn, byName ? [other, { [byName]: rest[0] }] : [other, ...rest]),
  );
};

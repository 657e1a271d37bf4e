// Methods that write their tensor in place, and functions that are asked to: each is a function, and copy_() of what
// that gives. So results that are stretched or of another dtype are refused or cast in one place, and a recorded write
// gets its history there.
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

/** Options of functions that may write over their tensor. */
export interface InplaceOptions {
  /** Whether the result is written over x, which is returned, as {@link copy_} does it. @defaultValue false */
  inplace?: boolean;
}

/** A function of a tensor and of whatever else. */
type Fn = (x: Tensor, ...rest: never[]) => Tensor;

const wantsGrad = (x: unknown): boolean => x instanceof Tensor && x.requiresGrad;

/** @throws DtypeError where a fraction would go into an integer */
function write(x: Tensor, y: Tensor): void {
  if (dtypes[y.dtype].floating && !dtypes[x.dtype].floating)
    throw new DtypeError(`copy_: expected a result that fits ${x.dtype}, got f32; convert x with .to('f32')`);
  copy_(x, y);
}

/** Writes fn(x, ...rest) over x. @returns x */
export function overwrite(x: Tensor, fn: Fn, rest: readonly unknown[]): Tensor {
  const call = (on: Tensor): void => write(x, fn(on, ...(rest as never[])));
  if (!notes() || !(wantsGrad(x) || rest.some(wantsGrad))) scope(() => call(x));
  else {
    // A leaf is refused before anything is made for it. Of others the op may save what is written: it gets a copy.
    if (wantsGrad(x) && (x.source?.base ?? x).isLeaf) copy_(x, x);
    call(ops.contiguous({ x }));
  }
  return x;
}

/** A function that writes over x where `inplace: bool = false`, which ends its signature, says so. */
/* @__NO_SIDE_EFFECTS__ */
export function writing<F extends Fn>(text: string, fn: Fn): F {
  const at = text.split(', ').length;
  const run = fn as (x: Tensor, ...rest: unknown[]) => Tensor;
  // Without a list of the arguments, which would slow every call.
  return callable<F>(text, ((x: Tensor, a: unknown, b: unknown, c: unknown, d: unknown) =>
    (at === 2 ? a : at === 3 ? b : at === 4 ? c : d) ? overwrite(x, fn, [a, b, c]) : run(x, a, b, c)) as never);
}

/** The method of `fn`, whose signature is `text`. */
/* @__NO_SIDE_EFFECTS__ */
export function inplace<F extends Fn>(fn: F, text: string): F {
  const byName = /\*, (\w+):/.exec(text)?.[1]; // the last one
  return callable<F>(
    text.replace('(', '_('),
    (x: Tensor, other: unknown, ...rest: unknown[]) =>
      overwrite(x, fn, byName ? [other, { [byName]: rest[0] }] : [other, ...rest]) as ReturnType<F>,
  );
}

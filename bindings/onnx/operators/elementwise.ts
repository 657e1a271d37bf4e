// Arithmetic, comparisons and logic, element by element.
import { cast, type TensorLike } from '../../functional/arguments.ts';
import * as compare from '../../functional/compare.ts';
import * as F from '../../functional/elementwise.ts';
import { wholeQuotient } from '../../functional/quotient.ts';
import { reshape } from '../../functional/shape.ts';
import * as special from '../../functional/special.ts';
import { numelOf, Tensor } from '../../tensor.ts';
import { broadcast, mapped } from '../host.ts';
import { DATA } from '../messages.ts';
import { always, type Call, type Family, like, type Operator } from '../operator.ts';
import { dtypeOf, HostArray, isFloat, MOST_ON_HOST, rangeOf, type Value } from '../values.ts';

type Unary = (x: Tensor) => Tensor;
type Scalars = (...values: number[]) => number;
type Binary = (a: Tensor, b: TensorLike) => Tensor;

/** A function of one tensor; of integers it stays one of theirs. @param host the same of a number */
const unary = (fn: Unary, host?: Scalars): Operator => ({
  takes: 'X',
  run: (call) => cast(fn(call.x()), dtypeOf(call.type())),
  ...(host && { host: (call, x) => mapped(rounding(call, host), x) }),
});

/** As mapped(), where what comes of it is not much more than what there is. */
const ifFew = (fn: Scalars, ...xs: HostArray[]): HostArray | undefined =>
  numelOf(broadcast(...xs.map((x) => x.sizes))) <= MOST_ON_HOST ? mapped(fn, ...xs) : undefined;

/** As f32 rounds, where the result has fractions. */
const rounding = (call: Call, fn: Scalars): Scalars =>
  isFloat(call.node.given[0] ?? 0) ? (...values) => Math.fround(fn(...values)) : fn;

/** The operands of a function of two, of which the first is a tensor; before opset 7 the second has an axis. */
function pair(call: Call): [Tensor, TensorLike] {
  const [a, b] = [call.operand(0), call.operand(1)];
  const axis = call.attr('axis');
  if (axis !== null && b instanceof Tensor) {
    const rank = call.sizes(0).length;
    const behind = rank - b.ndim - call.axis(axis, rank);
    return [call.x(0), reshape(b, [...b.sizes, ...new Array<number>(Math.max(behind, 0)).fill(1)])];
  }
  return [a instanceof Tensor ? a : call.x(0), b];
}

/** How broadcasts were asked for before opset 7. */
const OLD = 'axis:int broadcast=0';

const binary = (fn: Binary, host: Scalars, ofIntegers: Binary = fn, hostOfIntegers: Scalars = host): Operator => ({
  takes: `A B | ${OLD}`,
  host: (call, a, b) => ifFew(rounding(call, call.isFloat() ? host : hostOfIntegers), a, b),
  run: (call) => (call.isFloat() ? fn : ofIntegers)(...pair(call)),
});

const comparison = (fn: Binary, host: (a: number, b: number) => boolean): Operator => ({
  takes: `A B | ${OLD}`,
  types: always(DATA.BOOL),
  host: (_, a, b) => ifFew((p, q) => Number(host(p as number, q as number)), a, b),
  run: (call) => fn(...pair(call)),
});

/** Of any number of tensors. */
const variadic = (fn: Binary, host: Scalars): Operator => ({
  takes: 'X...',
  host: (call, first, ...xs) =>
    xs.reduce<HostArray | undefined>((a, b) => a && ifFew(rounding(call, host), a, b), first),
  run: (call) => {
    const [head, ...others] = call.values.map((_, i) => call.x(i)) as [Tensor, ...Tensor[]];
    return others.reduce((a, b) => cast(fn(a, b), head.dtype), head);
  },
});

const asTensor = (b: TensorLike, beside: Tensor): Tensor => (b instanceof Tensor ? b : F.add(F.mul(beside, 0), b));

/** a / b of integers, cut towards 0. */
function quotient(a: Tensor, b: TensorLike): Tensor {
  const divisor = asTensor(b, a);
  if (a.dtype === 'u8') return cast(wholeQuotient(a, divisor), 'u8');
  const size = wholeQuotient(F.abs(a), F.abs(divisor));
  return F.mul(size, F.mul(F.sign(a), F.sign(divisor)));
}

const power: Operator = {
  takes: `X Y | ${OLD}`,
  host: (call, a, b) => ifFew(rounding(call, Math.pow), a, b),
  run: (call) => {
    const [, exponent] = pair(call);
    const x = call.float(0);
    const y = F.pow(x, exponent instanceof Tensor ? cast(exponent, 'f32') : exponent);
    return cast(call.isFloat() ? y : F.round(y), dtypeOf(call.type()));
  },
};

const modulo: Operator = {
  takes: 'A B | fmod=0',
  host: (call, a, b) => ifFew((p = 0, q = 0) => (call.attr('fmod') ? p % q : p - q * Math.floor(p / q)), a, b),
  run: (call) => {
    const [a, b] = pair(call);
    return cast((call.attr('fmod') ? special.fmod : special.remainder)(a, b), dtypeOf(call.type()));
  },
};

const shift: Operator = {
  takes: 'X Y | direction!:text',
  run: (call) => {
    const fn =
      call.word('direction', 'LEFT', 'RIGHT') === 'LEFT' ? compare.bitwiseLeftShift : compare.bitwiseRightShift;
    return converted(fn(call.x(0), call.x(1)), DATA.INT32, call.type());
  },
};

/** x within bounds that are attributes, numbers or tensors. */
const clip: Operator = {
  takes: 'X min? max? | min:float max:float',
  host: (call, x, ...bounds) => {
    const [low, high] = boundsOf(call, bounds);
    return mapped((value = 0) => Math.min(Math.max(value, low ?? -Infinity), high ?? Infinity), x);
  },
  run: (call) => {
    const x = call.x();
    if ([1, 2].some((i) => call.has(i) && call.value(i) instanceof Tensor)) {
      const least = call.has(1) ? F.maximum(x, call.x(1)) : x;
      return call.has(2) ? F.minimum(least, call.x(2)) : least;
    }
    const [low, high] = boundsOf(
      call,
      [1, 2].map((i) => call.values[i] as HostArray),
    );
    return low === null && high === null ? x : cast(F.clamp(x, low, high), x.dtype);
  },
};

function boundsOf(call: Call, [low, high]: readonly (HostArray | null | undefined)[]): [number | null, number | null] {
  if (call.opset < 11) return [call.attr('min'), call.attr('max')];
  return [low?.data[0] ?? null, high?.data[0] ?? null];
}

/** Numbers as another type: of truths 0 and 1; what a type of few bits does not hold wraps. */
function converted(x: Value, from: number, to: number): Value {
  const [low, high] = rangeOf(to);
  const wraps = !isFloat(to) && high - low < 65536 && rangeOf(from)[1] > high;
  if (x instanceof HostArray) {
    if (to === DATA.BOOL) return mapped((value) => Number(value !== 0), x);
    if (isFloat(to)) return mapped((value = 0) => Math.fround(value), x);
    const count = high - low + 1;
    return mapped((value = 0) => {
      const whole = Math.trunc(value);
      return wraps ? ((((whole - low) % count) + count) % count) + low : whole;
    }, x);
  }
  if (to === DATA.BOOL) return F.ne(x, 0);
  if (isFloat(to)) return cast(x, 'f32');
  const whole = cast(x, x.dtype === 'u8' && dtypeOf(to) === 'u8' ? 'u8' : 'i32');
  const count = high - low + 1;
  const within = wraps ? F.add(special.remainder(F.sub(whole, low), count), low) : whole;
  return cast(within, dtypeOf(to));
}

const casting = (takes: string, to: (call: Omit<Call['node'], 'given'>) => number): Operator => ({
  takes,
  types: (node) => [to(node)],
  host: (call, x) => converted(x, call.type(), to(call.node)),
  run: (call) => converted(call.value(0), call.type(), to(call.node)),
});

const select: Operator = {
  takes: 'condition X Y',
  types: like(1),
  host: (_, condition, x, y) => ifFew((c, a, b) => (c ? a : b) as number, condition, x, y),
  run: (call) => F.where(call.x(0), call.operand(1), call.operand(2) as Tensor),
};

const infinite: Operator = {
  takes: 'X | detect_negative=1 detect_positive=1',
  types: always(DATA.BOOL),
  run: (call) => {
    const x = call.float();
    const [negative, positive] = [call.attr('detect_negative'), call.attr('detect_positive')];
    if (negative && positive) return compare.isinf(x);
    if (!negative && !positive) return cast(F.mul(x.ne(x), 0), 'u8');
    return (positive ? compare.isposinf : compare.isneginf)(x);
  },
};

export const elementwise: Family = {
  Abs: unary(F.abs, Math.abs),
  Acos: unary(special.acos),
  Acosh: unary(special.acosh),
  Add: binary(F.add, (a = 0, b = 0) => a + b),
  And: comparison(F.logicalAnd, (a, b) => a !== 0 && b !== 0),
  Asin: unary(special.asin),
  Asinh: unary(special.asinh),
  Atan: unary(special.atan),
  Atanh: unary(special.atanh),
  BitShift: shift,
  BitwiseAnd: binary(F.bitwiseAnd, (a = 0, b = 0) => a & b),
  BitwiseNot: {
    takes: 'X',
    run: (call) => converted(F.bitwiseNot(call.x()), DATA.INT32, call.type()),
  },
  BitwiseOr: binary(F.bitwiseOr, (a = 0, b = 0) => a | b),
  BitwiseXor: binary(F.bitwiseXor, (a = 0, b = 0) => a ^ b),
  Cast: casting('X | to!:int saturate=1 round_mode=up', (node) => node.attributes.to as number),
  CastLike: casting('X like | saturate=1 round_mode=up', (node) => node.types[1] as number),
  Ceil: unary(F.ceil, Math.ceil),
  Clip: clip,
  Cos: unary(F.cos),
  Cosh: unary(special.cosh),
  Div: binary(
    F.div,
    (a = 0, b = 0) => a / b,
    quotient,
    (a = 0, b = 0) => Math.trunc(a / b),
  ),
  Equal: comparison(F.eq, (a, b) => a === b),
  Erf: unary(F.erf),
  Exp: unary(F.exp),
  Floor: unary(F.floor, Math.floor),
  Greater: comparison(F.gt, (a, b) => a > b),
  GreaterOrEqual: comparison(F.ge, (a, b) => a >= b),
  Identity: { takes: 'X', host: (_, x) => x, run: (call) => call.x() },
  IsInf: infinite,
  IsNaN: { takes: 'X', types: always(DATA.BOOL), run: (call) => compare.isnan(call.x()) },
  Less: comparison(F.lt, (a, b) => a < b),
  LessOrEqual: comparison(F.le, (a, b) => a <= b),
  Log: unary(F.log),
  Max: variadic(F.maximum, Math.max),
  Mean: {
    takes: 'X...',
    run: (call) => {
      const [head, ...others] = call.values.map((_, i) => call.x(i)) as [Tensor, ...Tensor[]];
      return F.mul(
        others.reduce((a, b) => F.add(a, b), head),
        1 / call.values.length,
      );
    },
  },
  Min: variadic(F.minimum, Math.min),
  Mod: modulo,
  Mul: binary(F.mul, (a = 0, b = 0) => a * b),
  Neg: unary(F.neg, (a = 0) => -a),
  Not: {
    takes: 'X',
    host: (_, x) => mapped((value) => Number(value === 0), x),
    run: (call) => F.logicalNot(call.x()),
  },
  Or: comparison(F.logicalOr, (a, b) => a !== 0 || b !== 0),
  Pow: power,
  Reciprocal: unary(F.reciprocal, (a = 0) => 1 / a),
  Round: unary(F.round),
  Sigmoid: unary(F.sigmoid),
  Sign: unary(F.sign, Math.sign),
  Sin: unary(F.sin),
  Sinh: unary(special.sinh),
  Sqrt: unary(F.sqrt, Math.sqrt),
  Sub: binary(F.sub, (a = 0, b = 0) => a - b),
  Sum: variadic(F.add, (a = 0, b = 0) => a + b),
  Tan: unary(special.tan),
  Tanh: unary(F.tanh),
  Where: select,
  Xor: comparison(F.logicalXor, (a, b) => (a !== 0) !== (b !== 0)),
};

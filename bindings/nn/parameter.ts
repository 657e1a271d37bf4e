// What modules are made of: parameters and buffers, and the checks and descriptions of layers' options.
import { ops } from '../autograd.ts';
import { kinds as named } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { RequiresGradOptions } from '../takes.ts';
import { Tensor } from '../tensor.ts';
import * as init from './init.ts';

/**
 * A tensor that a module trains: {@link Module.parameters} lists it, {@link Module.stateDict} saves it. It is a Tensor,
 * and `x instanceof nn.Parameter` tells it from others.
 */
export type Parameter = Tensor;
/** A tensor that a module saves and does not train. `x instanceof nn.Buffer` tells it from others. */
export type Buffer = Tensor;

/** Options of {@link Buffer} and of {@link Module.registerBuffer}. */
export interface BufferOptions {
  /** Whether {@link Module.stateDict} has it. @defaultValue true */
  persistent?: boolean;
}

/** What {@link Parameter} is as a class. */
export interface ParameterClass {
  /**
   * A parameter of the numbers of `data`, whose memory it shares where that lies row-major; otherwise of a copy. It
   * lasts until it is disposed of.
   * @param data the first values; what they were computed from gets no gradient
   * @throws ArgumentError unless data is a tensor; DtypeError for gradients of other than f32
   */
  new (...args: Arguments<[data: Tensor], [requiresGrad: boolean], RequiresGradOptions>): Parameter;
  /** Whether x is a parameter. */
  [Symbol.hasInstance](x: unknown): x is Parameter;
}

/** What {@link Buffer} is as a class. */
export interface BufferClass {
  /**
   * A buffer of the numbers of `data`, whose memory it shares where that lies row-major; otherwise of a copy. It lasts
   * until it is disposed of.
   * @throws ArgumentError unless data is a tensor
   */
  new (data: Tensor, options?: BufferOptions): Buffer;
  /** Whether x is a buffer. */
  [Symbol.hasInstance](x: unknown): x is Buffer;
}

/** What a tensor is to the modules that hold it. Kept beside tensors: a class of its own would slow down every op. */
export type Kind = 'parameter' | 'buffer' | 'transient';
const kinds = new WeakMap<object, Kind>();
export const kindOf = (x: Tensor): Kind | undefined => kinds.get(x);

/** A tensor over the memory of `data`, or of a copy where that is strided, that lasts. */
function lasting(data: Tensor, kind: Kind): Tensor {
  data.checkAlive();
  const x = (data.isContiguous() ? data : ops.contiguous({ x: data })).detach().keep();
  kinds.set(x, kind);
  return x;
}

const declaredParameter = signature('Parameter(data: Tensor, requiresGrad: bool = true)');

/** A trained tensor in a module (PyTorch's `nn.Parameter`): only these are parameters. */
export const Parameter: ParameterClass = class {
  constructor(...args: unknown[]) {
    const [data, requiresGrad] = declaredParameter.parse(args) as [Tensor, boolean];
    // biome-ignore lint/correctness/noConstructorReturn: it is a Tensor; ops know no other class
    return lasting(data, 'parameter').requiresGrad_(requiresGrad);
  }
  static [Symbol.hasInstance](x: unknown): x is Parameter {
    return kinds.get(x as object) === 'parameter';
  }
} as unknown as ParameterClass;

named.Parameter = [(x) => x instanceof Parameter, 'an nn.Parameter'];

const declaredBuffer = signature('Buffer(data: Tensor, *, persistent: bool = true)');

/** A tensor that a module saves and does not train, such as running statistics (PyTorch's `nn.Buffer`). */
export const Buffer: BufferClass = class {
  constructor(...args: unknown[]) {
    const [data, persistent] = declaredBuffer.parse(args) as [Tensor, boolean];
    // biome-ignore lint/correctness/noConstructorReturn: as for parameters
    return lasting(data, persistent ? 'buffer' : 'transient');
  }
  static [Symbol.hasInstance](x: unknown): x is Buffer {
    const kind = kinds.get(x as object);
    return kind === 'buffer' || kind === 'transient';
  }
} as unknown as BufferClass;

/** A parameter of `shape`. Contents are set by an initialiser. */
export const parameter = (shape: readonly number[]): Parameter =>
  new Parameter(Tensor.allocate(shape, 'f32', 'parameter'));

/** A parameter of `shape`, uniform in ±bound. */
export function uniformParameter(shape: readonly number[], bound: number): Parameter {
  return init.uniform_(parameter(shape), -bound, bound);
}

/** A buffer of `shape` full of `value`. */
export function buffer(shape: readonly number[], value: number): Buffer {
  return init.constant_(Tensor.allocate(shape, 'f32', 'buffer').keep(), value);
}

/** @throws ArgumentError unless each of `sizes` is a whole number >= 1 */
export function checkSizes(layer: string, sizes: Record<string, number>): void {
  for (const [name, size] of Object.entries(sizes))
    if (!(Number.isSafeInteger(size) && size >= 1))
      throw new ArgumentError(`${layer}: expected ${name} to be a whole number >= 1, got ${size}`);
}

/** `name: value, name: value`: the options that are given. */
export function describeOptions(options: object): string {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) => `${name}: ${Array.isArray(value) ? `[${value.map(describe).join(', ')}]` : describe(value)}`,
    )
    .join(', ');
}

/** `name: value, name: value`: what a layer was called with, without what is as usual. */
export const describeCall = ({ parameters }: Signature, values: readonly unknown[]): string =>
  describeOptions(
    Object.fromEntries(
      parameters.flatMap(({ name, value }, i) => (values[i] === value ? [] : [[name, values[i]] as const])),
    ),
  );

/** Settings of a layer that are read and written on the layer itself as well: `conv.stride = 2`. */
export function giveSettings(layer: object, options: Record<string, unknown>): void {
  for (const name of Object.keys(options))
    Object.defineProperty(layer, name, {
      get: () => options[name],
      set: (value: unknown) => {
        options[name] = value;
      },
    });
}

/** {@link describeCall} with what the settings are now. */
export const describeLayer = (declared: Signature, values: readonly unknown[], options: object): string =>
  describeCall(
    declared,
    declared.parameters.map(({ name }, i) => (Object.hasOwn(options, name) ? Reflect.get(options, name) : values[i])),
  );

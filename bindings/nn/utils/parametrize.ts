// Tensors of modules that are computed from others (PyTorch's torch.nn.utils.parametrize): the field of the module
// becomes one that computes, and what it is computed from is trained and saved in `parametrizations`.
import { withoutTape } from '../../autograd.ts';
import { tracing } from '../../execute.ts';
import { copy_ } from '../../functional/inplace.ts';
import { ArgumentError, formatShape, ShapeError } from '../../memory/errors.ts';
import { sameShape } from '../../ops/shapes.ts';
import { type Arguments, type Callable, callable, taking } from '../../signature.ts';
import { Tensor } from '../../tensor.ts';
import { expectModule, Indexed, replaceItems } from '../indexed.ts';
import { ModuleDict } from '../lists.ts';
import type { Module } from '../module.ts';
import { ITEM_OF, stateName } from '../names.ts';
import { Parameter } from '../parameter.ts';
import { compute, putBack, takeOut } from './computed.ts';

/** What computes a tensor of a module: of one that is trained, or of several. */
export interface Parametrization extends Module {
  /** The tensor, computed from what is trained. */
  forward(...originals: Tensor[]): Tensor;
  /** What forward computes `value` from; without it, that is `value` itself. */
  rightInverse?(value: Tensor): Tensor | readonly Tensor[];
}

/** What is trained, and what computes the tensor of it, one after the other. */
class ParametrizationList extends Indexed<Module> {
  /** How many originals there are; 0: one, which is called `original`. */
  readonly #several: number;

  constructor(parametrization: Parametrization, original: Parameter) {
    super();
    replaceItems(this, [parametrization as Module]);
    const inverse = withoutTape(() => parametrization.rightInverse?.(original) ?? original);
    if (Array.isArray(inverse)) {
      this.#several = inverse.length;
      inverse.forEach((x: Tensor, i) => {
        this.registerParameter(`original${i}`, new Parameter(x.clone(), original.requiresGrad));
      });
      return;
    }
    this.#several = 0;
    const one = inverse as Tensor;
    if (one !== original && sameShape(one.sizes, original.sizes)) withoutTape(() => copy_(original, one));
    // Where it can be, it is the tensor that optimizers know.
    const kept = sameShape(one.sizes, original.sizes) ? original : new Parameter(one.clone(), original.requiresGrad);
    this.registerParameter('original', kept);
  }

  /** @internal */
  [ITEM_OF](op: string, value: unknown): Module {
    return expectModule(`parametrizations.${op}`, value);
  }

  get originals(): Parameter[] {
    const names = this.#several ? Array.from({ length: this.#several }, (_, i) => `original${i}`) : ['original'];
    return names.map((name) => Reflect.get(this, name) as Parameter);
  }

  /** The tensor. */
  forward(): Tensor {
    let [x, ...rest] = this.originals as Tensor[];
    for (const module of this as Iterable<Module>) {
      x = (module as Parametrization).forward(x as Tensor, ...rest);
      rest = [];
    }
    return x as Tensor;
  }

  /** Has forward give `value` from now on, as far as there is a way back. @throws ArgumentError where there is none */
  assign(value: Tensor): void {
    const modules = [...this] as unknown as Parametrization[];
    const inverse = withoutTape(() =>
      modules.reduceRight<Tensor | readonly Tensor[]>((x, module) => {
        if (!module.rightInverse)
          throw new ArgumentError(
            `${module.constructor.name}: expected a parametrization with rightInverse to assign a value, got one without; assign to what it is computed from`,
          );
        return module.rightInverse(x as Tensor);
      }, value),
    );
    const values = Array.isArray(inverse) ? inverse : [inverse];
    withoutTape(() => {
      this.originals.forEach((original, i) => {
        copy_(original, values[i] as Tensor);
      });
    });
  }
}

let depth = 0;
/** What was computed inside of cached(): while compile() traces, by the trace alone. */
const known = new Map<ParametrizationList, { readonly value: Tensor; readonly tracer: unknown }>();

function read(list: ParametrizationList): Tensor {
  if (depth === 0) return list.forward();
  const tracer = tracing();
  const found = known.get(list);
  if (found && found.tracer === tracer && !found.value.block.freed) return found.value;
  const value = list.forward();
  known.set(list, { value, tracer });
  return value;
}

/**
 * Calls `fn`, in which each parametrized tensor is computed at its first use only (PyTorch's `parametrize.cached`):
 * for modules that are called many times, such as cells. It gives what `fn` does.
 */
export const cached: <T>(fn: () => T) => T = taking('cached(fn: function)', (fn: () => unknown) => {
  depth++;
  try {
    return fn() as never;
  } finally {
    if (--depth === 0) known.clear();
  }
});

/** The list of a tensor, if it has one. */
function listOf(module: Module, name: string): ParametrizationList | undefined {
  const lists = (module as { parametrizations?: unknown }).parametrizations;
  return lists instanceof ModuleDict ? (lists.get(stateName(name)) as ParametrizationList | undefined) : undefined;
}

/** Options of {@link registerParametrization}. */
export interface ParametrizationOptions {
  /** Whether the result may have another shape than the tensor. @defaultValue false */
  unsafe?: boolean;
}

/**
 * Has the parameter `tensorName` of a module computed by `parametrization` from now on (PyTorch's
 * `parametrize.register_parametrization`). What it is computed from is trained and saved as
 * `parametrizations.weight.original`, or `original0`, `original1` … where its `rightInverse` gives several. Another
 * one on the same tensor comes after it.
 * @returns the module
 * @throws ArgumentError, ShapeError
 * @example
 * ```ts
 * class Symmetric extends nn.Module {
 *   forward(x: Tensor) {
 *     return x.add(x.t()).mul(0.5);
 *   }
 * }
 * const layer = new nn.Linear(4, 4);
 * nn.utils.parametrize.registerParametrization(layer, 'weight', new Symmetric());
 * ```
 */
export const registerParametrization = callable<
  <M extends Module>(
    module: M,
    tensorName: string,
    parametrization: Parametrization,
    options?: ParametrizationOptions,
  ) => M
>('registerParametrization(module: Module, tensorName: string, parametrization: Module, *, unsafe: bool = false)', ((
  module: Module,
  name: string,
  parametrization: Parametrization,
  unsafe: boolean,
) => {
  const op = 'registerParametrization';
  if (parametrization.training !== module.training) parametrization.train(module.training);
  const list = listOf(module, name);
  const shapeOf = (x: Tensor): readonly number[] => x.sizes;
  if (list) {
    const before = withoutTape(() => list.forward());
    const after = withoutTape(() => parametrization.forward(before));
    if (!unsafe && !sameShape(shapeOf(after), shapeOf(before))) refuseShape(op, before, after);
    list.append(parametrization);
    return module;
  }
  const original = takeOut(op, module, name);
  const shape = original.sizes;
  try {
    const made = new ParametrizationList(parametrization, original);
    const value = withoutTape(() => made.forward());
    if (!(value instanceof Tensor)) throw new ArgumentError(`${op}: expected forward to give a tensor, got ${value}`);
    if (!unsafe && !sameShape(value.sizes, shape)) refuseShape(op, original, value);
    const owner = module as unknown as { parametrizations?: ModuleDict };
    if (owner.parametrizations === undefined) module.registerModule('parametrizations', new ModuleDict({}));
    (owner.parametrizations as ModuleDict).set(stateName(name), made as unknown as Module);
    compute(
      module,
      name,
      () => read(made),
      (x) => made.assign(x),
    );
  } catch (error) {
    module.registerParameter(name, original);
    throw error;
  }
  return module;
}) as never);

function refuseShape(op: string, before: Tensor, after: Tensor): never {
  throw new ShapeError(
    `${op}: expected a parametrization that leaves the shape ${formatShape(before.sizes)}, got ${formatShape(after.sizes)}; pass { unsafe: true }`,
  );
}

/** Options of {@link removeParametrizations}. */
export interface RemoveOptions {
  /** Whether the parameter keeps the value that was computed; else it is the original. @defaultValue true */
  leaveParametrized?: boolean;
}

/**
 * Makes a tensor that is computed a parameter again (PyTorch's `parametrize.remove_parametrizations`).
 * @returns the module
 * @throws ArgumentError where it is none, or there are several originals to leave
 */
export const removeParametrizations = callable<
  <M extends Module>(
    ...args: Arguments<
      [module: M, tensorName: string],
      [leaveParametrized: boolean],
      RemoveOptions,
      ['module', 'tensorName']
    >
  ) => M
>('removeParametrizations(module: Module, tensorName: string, leaveParametrized: bool = true)', ((
  module: Module,
  name: string,
  leave: boolean,
) => {
  const list = listOf(module, name);
  if (!list)
    throw new ArgumentError(`removeParametrizations: expected a parametrized tensor, got '${name}', which is not`);
  const { originals } = list;
  const [first] = originals as [Parameter];
  if (!leave && originals.length > 1)
    throw new ArgumentError(
      `removeParametrizations: expected one original to leave, got ${originals.length}; pass { leaveParametrized: true }`,
    );
  let left = first;
  if (leave) {
    const value = withoutTape(() => list.forward());
    if (originals.length === 1 && sameShape(value.sizes, first.sizes)) withoutTape(() => copy_(first, value));
    else left = new Parameter(value.clone(), first.requiresGrad);
  }
  known.delete(list);
  const { parametrizations: lists } = module as unknown as { parametrizations: ModuleDict };
  lists.delete(stateName(name));
  if (Object.keys(lists).length === 0 && [...lists.entries()].length === 0)
    delete (module as unknown as { parametrizations?: ModuleDict }).parametrizations;
  putBack(module, name, left);
  return module;
}) as never);

/**
 * Whether the tensor `tensorName` of a module is computed by a parametrization, or any of them (PyTorch's
 * `parametrize.is_parametrized`).
 */
export const isParametrized = callable<
  Callable<[module: Module], [tensorName: string | null], { tensorName?: string | null }, boolean>
>('isParametrized(module: Module, tensorName: string|null = null)', (module: Module, name: string | null) =>
  name === null
    ? (module as { parametrizations?: unknown }).parametrizations instanceof ModuleDict
    : listOf(module, name) !== undefined,
);

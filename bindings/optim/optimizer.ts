// What every optimizer shares: parameter groups, state tensors, and a step that is one fused kernel a parameter.

import { noGrad, ops } from '../autograd.ts';
import { aside, tracing, upload } from '../execute.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import type { SavedTensor } from '../nn/module.ts';
import { expectDtype, sameShape } from '../ops/shapes.ts';
import { Tensor } from '../tensor.ts';

/** Options of a group in a saved state: numbers and switches by name. */
export type Settings = Record<string, number | boolean | readonly number[]>;
/** The parameters of a group. */
export interface GroupParams<P> {
  /** The parameters; in a saved state their numbers across the groups. */
  params: P;
}

/**
 * Parameters that share options O. Options may be changed between steps, `group.lr = 0.1`, and hold from the next step
 * on.
 */
export type ParamGroup<O> = GroupParams<Tensor[]> & O;
/**
 * What the constructor of an optimizer with options O takes: parameters, or groups of them with options of their own.
 */
export type Params<O> = readonly Tensor[] | readonly (Partial<O> & GroupParams<readonly Tensor[]>)[];

/**
 * The tensors an optimizer keeps for one parameter: `step` (f32 [], steps so far) and its running averages.
 * @internal
 */
export type State = { step: Tensor } & Record<string, Tensor>;

/** What {@link Optimizer.stateDict} gives and {@link Optimizer.loadStateDict} takes. */
export interface OptimizerState {
  /** For each parameter that has been updated, by its number across the groups, its tensors by PyTorch's names. */
  state: Record<string, Record<string, Tensor | SavedTensor>>;
  /** The options of each group, and the numbers of its parameters. */
  paramGroups: (Settings & GroupParams<number[]>)[];
}

/** Base class of the optimizers, with options O (PyTorch's `optim.Optimizer`). */
export abstract class Optimizer<O extends object> {
  /** The parameters, and the options that they are updated with. */
  readonly paramGroups: ParamGroup<O>[];
  readonly #state = new Map<Tensor, State>();
  readonly #hyper = new Map<ParamGroup<O>, Hyper>();

  /** @internal */
  constructor(params: Params<O>, defaults: O) {
    const list = [...params];
    const grouped = list.length > 0 && !(list[0] instanceof Tensor);
    const groups = (grouped ? list : [{ params: list }]) as (Partial<O> & { params: Tensor[] })[];
    this.paramGroups = groups.map((group) => ({ ...defaults, ...definedOnly(group), params: [...group.params] }));
    const all = this.paramGroups.flatMap((group) => group.params);
    const name = this.constructor.name;
    if (all.length === 0) throw new ArgumentError(`${name}: expected at least one parameter, got none`);
    for (const p of all)
      if (!(p instanceof Tensor) || !p.isLeaf || p.dtype !== 'f32' || !p.isContiguous())
        throw new ArgumentError(`${name}: expected contiguous f32 leaves as parameters, got ${String(p)}`);
    if (new Set(all).size !== all.length)
      throw new ArgumentError(`${name}: expected each parameter once, got one of them twice`);
    for (const group of this.paramGroups) this.check(group);
  }

  /** @throws ArgumentError for an option outside its range @internal */
  protected abstract check(group: O): void;
  /** The numbers the kernel reads, in its layout. @internal */
  protected abstract hyper(group: O): readonly number[];
  /** State tensors besides `step`, by name, with their first value. @internal */
  protected abstract stateOf(group: O): Readonly<Record<string, number>>;
  /** Calls the fused op for one parameter. @internal */
  protected abstract update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void;

  /** Updates every parameter that has a gradient. @throws OutOfMemoryError before any is changed */
  step(): void {
    // Checks and state first: when a gradient does not fit or memory runs out here, no parameter has been touched.
    for (const group of this.paramGroups) for (const p of group.params) if (p.grad) expectGradient(p, p.grad);
    aside(() => noGrad(() => this.#prepare()));
    const tracer = tracing();
    if (tracer) {
      const kind = this.#kind();
      tracer.guard(() => this.#kind() === kind);
      // Settings may change between steps, and kernels read them where this writes them.
      tracer.beforeRun(() => {
        for (const group of this.paramGroups) this.#settle(group);
      });
    }
    noGrad(() => {
      for (const group of this.paramGroups) {
        const hyper = (this.#hyper.get(group) as Hyper).tensor;
        for (const p of group.params) {
          const g = p.grad;
          if (!g) continue;
          const state = this.#state.get(p) as State;
          this.update(p, g, state, hyper);
        }
      }
    });
  }

  /**
   * Makes what the next step needs: settings where kernels read them, and the state of every parameter with a gradient.
   */
  #prepare(): void {
    for (const group of this.paramGroups) {
      this.#settle(group);
      const wanted = { step: 0, ...this.stateOf(group) };
      for (const p of group.params) if (p.grad) this.#state.set(p, this.#complete(this.#state.get(p), wanted, p));
    }
  }

  /** On what the kernels of a step depend, besides the numbers that they read. */
  #kind(): string {
    return this.paramGroups
      .map((group) => `${group.params.length} ${Object.keys(this.stateOf(group)).join(' ')}`)
      .join(', ');
  }

  /** Checks the settings of a group and writes them where kernels read them. */
  #settle(group: ParamGroup<O>): void {
    this.check(group);
    const values = this.hyper(group);
    let hyper = this.#hyper.get(group);
    if (!hyper) {
      hyper = { tensor: Tensor.allocate([values.length], 'f32', 'optimizer').keep(), values: [] };
      this.#hyper.set(group, hyper);
    }
    if (values.every((value, i) => Object.is(value, hyper.values[i]))) return;
    upload(hyper.tensor, values);
    hyper.values = values;
  }

  /**
   * `state` with what it lacks of `wanted` (all at first; a buffer when a setting such as momentum was turned on
   * later).
   */
  #complete(state: State | undefined, wanted: Readonly<Record<string, number>>, p: Tensor): State {
    const made: Record<string, Tensor> = {};
    try {
      for (const name in wanted) {
        if (state?.[name]) continue;
        const x = Tensor.allocate(name === 'step' ? [] : p.shape, 'f32', 'optimizer').keep();
        made[name] = x;
        ops.fillInto({ y: x }, { value: wanted[name] as number });
      }
    } catch (error) {
      for (const x of Object.values(made)) x.dispose();
      throw error;
    }
    return state ? Object.assign(state, made) : (made as State);
  }

  /** Lets go of the gradients of all parameters. */
  zeroGrad(): void {
    for (const group of this.paramGroups) for (const p of group.params) p.clearGrad();
  }

  /** State and options; the tensors are the living ones, not copies. Parameters are numbered across the groups. */
  stateDict(): OptimizerState {
    let number = 0;
    const state: OptimizerState['state'] = {};
    const paramGroups = this.paramGroups.map(({ params, ...settings }) => ({
      ...(settings as unknown as Settings),
      params: params.map((p) => {
        const own = this.#state.get(p);
        if (own) state[number] = { ...own };
        return number++;
      }),
    }));
    return { state, paramGroups: paramGroups as unknown as OptimizerState['paramGroups'] };
  }

  /**
   * Takes over options and copies of the state. Everything is checked before anything changes.
   * @throws ArgumentError, ShapeError where the state is that of other parameters
   */
  loadStateDict(saved: OptimizerState): void {
    this.prepareStateDict(saved)();
  }

  /** The checks and allocations of loadStateDict(); what it returns takes over and cannot fail. @internal */
  prepareStateDict(saved: OptimizerState): () => void {
    const sizes = (groups: readonly { params: readonly unknown[] }[]): string =>
      groups.map(({ params }) => params.length).join(', ');
    if (sizes(saved.paramGroups) !== sizes(this.paramGroups))
      throw new ArgumentError(
        `loadStateDict: expected groups of ${sizes(this.paramGroups)} parameters, got ${sizes(saved.paramGroups)}`,
      );
    const numbered = this.paramGroups.flatMap((group, i) =>
      group.params.map((p, j) => ({ group, p, number: saved.paramGroups[i]?.params[j] })),
    );
    const fresh = new Map<Tensor, State>();
    const settings = saved.paramGroups.map(({ params: _, ...rest }) => rest);
    try {
      settings.forEach((rest, i) => {
        this.check({ ...this.paramGroups[i], ...rest } as unknown as O);
      });
      for (const { group, p, number } of numbered) {
        const entry = saved.state[String(number)];
        if (!entry) continue;
        const restored = { ...group, ...settings[this.paramGroups.indexOf(group)] } as O;
        const state = this.#complete(undefined, { step: 0, ...this.stateOf(restored) }, p);
        fresh.set(p, state);
        const strange = Object.keys(entry).find((name) => !Object.hasOwn(state, name));
        if (strange !== undefined)
          throw new ArgumentError(
            `loadStateDict: expected the state ${Object.keys(state).join(', ')} for parameter ${number}, got ${strange}; it is of another optimizer`,
          );
        for (const [name, x] of Object.entries(state)) {
          const value = entry[name];
          if (!value || !sameShape(value.shape, x.shape))
            throw new ShapeError(
              `loadStateDict: expected ${name} of shape ${formatShape(x.shape)} for parameter ${number}, got ${value ? formatShape(value.shape) : 'none'}`,
            );
          upload(x, value.data);
        }
      }
    } catch (error) {
      for (const state of fresh.values()) for (const x of Object.values(state)) x.dispose();
      throw error;
    }
    return () => {
      this.#disposeState();
      for (const [p, state] of fresh) this.#state.set(p, state);
      settings.forEach((rest, i) => {
        Object.assign(this.paramGroups[i] as object, rest);
      });
    };
  }

  #disposeState(): void {
    for (const state of this.#state.values()) for (const x of Object.values(state)) x.dispose();
    this.#state.clear();
  }

  /** Gives back the memory of the state; the parameters stay. */
  dispose(): void {
    this.#disposeState();
    for (const { tensor } of this.#hyper.values()) tensor.dispose();
    this.#hyper.clear();
  }
}

/** The settings of a group where kernels read them, and which those are. */
interface Hyper {
  readonly tensor: Tensor;
  values: readonly number[];
}

/** @throws ShapeError, DtypeError unless `g` is laid out as the parameter is */
function expectGradient(p: Tensor, g: Tensor): void {
  if (!sameShape(g.shape, p.shape) || !g.isContiguous())
    throw new ShapeError(
      `step: expected a contiguous gradient of shape ${formatShape(p.shape)}, got ${formatShape(g.shape)}`,
    );
  expectDtype('step', g, 'f32');
}

function definedOnly<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** @throws ArgumentError unless `value` is a finite number from `low` to, without, `high` */
export function expectRange(op: string, name: string, value: number, low = 0, high = Number.POSITIVE_INFINITY): void {
  if (!(typeof value === 'number' && value >= low && value < high))
    throw new ArgumentError(
      `${op}: expected ${name} >= ${low}${high < Number.POSITIVE_INFINITY ? ` and < ${high}` : ''}, got ${value}`,
    );
}

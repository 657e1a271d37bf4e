// What every optimizer shares: parameter groups, state tensors, and a step that is one fused kernel a parameter.

import { sameShape } from '../ops/shapes.ts';
import type { Kernels } from '../runtime/commands.ts';
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { aside, runtime } from '../runtime/wasm.ts';
import { Tensor, type TypedArray } from '../tensor.ts';

/** Settings of a group: numbers and switches. */
export type Settings = Record<string, number | boolean | readonly number[]>;
/** Parameters that share settings. Settings may be changed between steps, `group.lr = 0.1`, and hold from the next step on. */
export type ParamGroup<O> = { params: Tensor[] } & O;
/** What a constructor takes: parameters, or groups of them with settings of their own. */
export type Params<O> = readonly Tensor[] | readonly (Partial<O> & { params: readonly Tensor[] })[];

/** The tensors an optimizer keeps for one parameter: `step` (f32 [], steps so far) and its running averages. */
export type State = { step: Tensor } & Record<string, Tensor>;
type SavedTensor = { readonly shape: readonly number[]; readonly data: TypedArray };

/** What stateDict() gives: state by the parameter's number, and each group's settings. */
export interface OptimizerState {
  state: Record<string, Record<string, Tensor | SavedTensor>>;
  paramGroups: (Settings & { params: number[] })[];
}

/** Base class of the optimizers (PyTorch's `optim.Optimizer`). */
export abstract class Optimizer<O extends object> {
  readonly paramGroups: ParamGroup<O>[];
  readonly #state = new Map<Tensor, State>();
  readonly #hyper = new Map<ParamGroup<O>, Tensor>();

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

  /** @throws ArgumentError for a setting outside its range */
  protected abstract check(group: O): void;
  /** The numbers the kernel reads, in its layout. */
  protected abstract hyper(group: O): readonly number[];
  /** State tensors besides `step`, by name, with their first value. */
  protected abstract stateOf(group: O): Readonly<Record<string, number>>;
  /** Issues the fused kernel for one parameter. */
  protected abstract update(k: Kernels, p: Tensor, g: Tensor, state: State, hyper: Tensor): void;

  /** Updates every parameter that has a gradient. @throws OutOfMemoryError before any is changed */
  step(): void {
    const { kernels, recorder } = runtime();
    // State first: when memory runs out here, no parameter has been touched.
    aside(() => {
      for (const group of this.paramGroups) {
        this.#settle(group);
        const wanted = { step: 0, ...this.stateOf(group) };
        for (const p of group.params) if (p.grad) this.#state.set(p, this.#complete(this.#state.get(p), wanted, p));
      }
    });
    if (recorder) {
      const kind = this.#kind();
      recorder.guards.push(() => this.#kind() === kind);
      // Settings may change between steps, and kernels read them where this writes them.
      recorder.hooks.push(() => {
        for (const group of this.paramGroups) this.#settle(group);
      });
    }
    for (const group of this.paramGroups) {
      const hyper = this.#hyper.get(group) as Tensor;
      for (const p of group.params) {
        const g = p.grad;
        if (!g) continue;
        if (!sameShape(g.shape, p.shape) || !g.isContiguous())
          throw new ShapeError(
            `step: expected a contiguous gradient of shape ${formatShape(p.shape)}, got ${formatShape(g.shape)}`,
          );
        const state = this.#state.get(p) as State;
        kernels.advance_step(state.step);
        this.update(kernels, p, g, state, hyper);
      }
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
      hyper = Tensor.allocate([values.length], 'f32', 'optimizer').keep();
      this.#hyper.set(group, hyper);
    }
    runtime().arena.f32.set(values, hyper.address / 4);
  }

  /** `state` with what it lacks of `wanted` (all at first; a buffer when a setting such as momentum was turned on later). */
  #complete(state: State | undefined, wanted: Readonly<Record<string, number>>, p: Tensor): State {
    const { kernels } = runtime();
    const made: Record<string, Tensor> = {};
    try {
      for (const name in wanted) {
        if (state?.[name]) continue;
        const x = Tensor.allocate(name === 'step' ? [] : p.shape, 'f32', 'optimizer').keep();
        made[name] = x;
        kernels.fill_f32(x, x.size, wanted[name] as number);
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

  /** State and settings; the tensors are the living ones, not copies. Parameters are numbered across the groups. */
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

  /** Takes over settings and copies of the state. Everything is checked before anything changes. */
  loadStateDict(saved: OptimizerState): void {
    this.prepareStateDict(saved)();
  }

  /** Internal: the checks and allocations of loadStateDict(); what it returns takes over and cannot fail. */
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
        for (const [name, x] of Object.entries(state)) {
          const value = entry[name];
          if (!value || !sameShape(value.shape, x.shape))
            throw new ShapeError(
              `loadStateDict: expected ${name} of shape ${formatShape(x.shape)} for parameter ${number}, got ${value ? formatShape(value.shape) : 'none'}`,
            );
          runtime().arena.f32.set(value.data as ArrayLike<number>, x.address / 4);
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
    for (const x of this.#hyper.values()) x.dispose();
    this.#hyper.clear();
  }
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

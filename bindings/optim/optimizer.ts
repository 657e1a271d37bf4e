// What every optimizer shares: parameter groups, state tensors, and a step that is one fused kernel a parameter.

import { noGrad, ops, setGradEnabled } from '../autograd.ts';
import { aside, tracing, upload } from '../execute.ts';
import { ArgumentError } from '../memory/errors.ts';
import type { SavedTensor } from '../nn/state.ts';
import { Watch } from '../program/watch.ts';
import { checkGradient, Tensor } from '../tensor.ts';
import { expectObject, expectParameters, expectSettings, kindOf, listOf, savedNumbers } from './settings.ts';

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
export type Params<O> = Iterable<Tensor> | Iterable<NewGroup<O>>;
/** A group as users give it: parameters, or a single one, and the options that are not the optimizer's own. */
export type NewGroup<O> = Partial<O> & GroupParams<Tensor | Iterable<Tensor>>;

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
  readonly paramGroups: ParamGroup<O>[] = [];
  readonly #defaults: O;
  readonly #state = new Map<Tensor, State>();
  readonly #hyper = new Map<ParamGroup<O>, Hyper>();

  /** @internal */
  constructor(params: Params<O>, standard: O, options: Partial<O>) {
    const name = this.constructor.name;
    const list = listOf(name, params);
    const grouped = list.length > 0 && !(list[0] instanceof Tensor);
    this.#defaults = { ...standard, ...definedOnly(options) };
    expectSettings(name, this.#defaults, standard);
    const groups = (grouped ? list : [{ params: list }]).map((group) => this.#newGroup(name, group));
    this.#check(name, groups);
    for (const group of groups) this.paramGroups.push(group); // as arguments there may be too many
  }

  /** @throws ArgumentError for an option outside its range @internal */
  protected abstract check(group: O): void;
  /** The numbers the kernel reads, in its layout. @internal */
  protected abstract hyper(group: O): readonly number[];
  /**
   * State tensors besides `step`, by name, with their first value; null for those that these options have no use for.
   * @internal
   */
  protected abstract stateOf(group: O): Readonly<Record<string, number | null>>;
  /** Calls the fused op for one parameter. @internal */
  protected abstract update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void;

  /**
   * Adds a group of parameters, which are trained from the next step on (PyTorch's `add_param_group`).
   * @param group its parameters, and the options that are not those of the optimizer
   * @throws ArgumentError, before anything changes
   */
  addParamGroup(group: NewGroup<O>): void {
    const added = this.#newGroup('addParamGroup', group);
    this.#check('addParamGroup', [...this.paramGroups, added]);
    this.paramGroups.push(added);
  }

  #newGroup(op: string, group: unknown): ParamGroup<O> {
    expectObject(op, 'a group of parameters', group);
    const { params, ...options } = group;
    const list = params instanceof Tensor ? [params] : listOf(op, params);
    return { ...this.#defaults, ...definedOnly(options), params: list as Tensor[] };
  }

  /** Checks groups, which users may have changed since the last call. @returns their parameters */
  #check(op: string, groups: readonly ParamGroup<O>[] = this.paramGroups): readonly Tensor[] {
    const all: unknown[] = [];
    for (const group of groups) {
      expectObject(op, 'a group of parameters', group);
      if (!Array.isArray(group.params))
        throw new ArgumentError(`${op}: expected params to be a list of parameters, got ${kindOf(group.params)}`);
      expectSettings(op, group, this.#defaults);
      this.check(group);
      for (const p of group.params) all.push(p);
    }
    expectParameters(op, all);
    return all;
  }

  /**
   * Updates every parameter that has a gradient; or none, where it throws.
   * @param closure computes the loss anew and calls backward() before the step (PyTorch's `step(closure)`)
   * @returns what the closure returned
   * @throws ShapeError, DtypeError, ArgumentError, FreedError for a gradient or a setting that does not fit;
   *   OutOfMemoryError
   */
  step(): void;
  step<T>(closure: () => T): T;
  step<T>(closure?: () => T): T | undefined {
    const loss = closure && setGradEnabled(true, closure);
    // Checks and state first: when a gradient does not fit or memory runs out here, no parameter has been touched.
    for (const p of this.#check('step')) {
      if (!p.grad) continue;
      checkGradient('step', p, p.grad);
      for (const x of Object.values(this.#state.get(p) ?? {})) x.checkAlive();
    }
    aside(() => noGrad(() => this.#prepare()));
    const tracer = tracing();
    if (tracer) {
      // Groups and parameters may be replaced as well, and settings turned on that need other state.
      tracer.dependOn(this, ['paramGroups']);
      for (const group of this.paramGroups) {
        tracer.dependOn(group, ['params']);
        const { wanted } = this.#hyper.get(group) as Hyper;
        tracer.guard(() => this.#namesOf(group) === wanted);
      }
      // Settings may change between steps, and kernels read them where this writes them.
      tracer.beforeRun(() => {
        for (const group of this.paramGroups) this.#settle(group);
      });
    }
    noGrad(() => {
      for (const group of this.paramGroups) {
        const { tensor, wanted } = this.#hyper.get(group) as Hyper;
        for (const p of group.params)
          if (p.grad) this.update(p, p.grad, only(wanted, this.#state.get(p) as State), tensor);
      }
    });
    return loss;
  }

  /**
   * Makes what the next step needs: settings where kernels read them, and the state of every parameter with a gradient.
   */
  #prepare(): void {
    const made = new Map<Tensor, Record<string, Tensor>>();
    try {
      for (const group of this.paramGroups) {
        this.#settle(group);
        const wanted = this.#wanted(group);
        for (const p of group.params) {
          if (!p.grad) continue;
          const fresh: Record<string, Tensor> = {};
          made.set(p, fresh);
          complete(fresh, this.#state.get(p), wanted, p);
        }
      }
    } catch (error) {
      for (const state of made.values()) discard(state);
      throw error;
    }
    for (const [p, fresh] of made) this.#state.set(p, Object.assign(this.#state.get(p) ?? {}, fresh) as State);
  }

  /** The state tensors that the options ask for, with their first values. */
  #wanted(group: O): Record<string, number> {
    const wanted: Record<string, number> = { step: 0 };
    for (const [name, value] of Object.entries(this.stateOf(group))) if (value !== null) wanted[name] = value;
    return wanted;
  }

  /** The names of the state tensors of a group: the same list while they are the same. */
  #namesOf(group: ParamGroup<O>): readonly string[] {
    const hyper = this.#hyper.get(group);
    if (hyper?.settings.holds()) return hyper.wanted;
    const names = Object.keys(this.#wanted(group));
    return hyper && sameItems(hyper.wanted, names) ? hyper.wanted : names;
  }

  /** Checks the settings of a group and writes them where kernels read them, unless they are as they were. */
  #settle(group: ParamGroup<O>): void {
    const known = this.#hyper.get(group);
    if (known?.settings.holds()) return;
    expectSettings('step', group, this.#defaults);
    this.check(group);
    const values = this.hyper(group);
    const tensor = known?.tensor ?? Tensor.allocate([values.length], 'f32', 'optimizer').keep();
    const settings = new Watch();
    settings.noteFields(
      group,
      Object.keys(group).filter((name) => name !== 'params'),
    );
    settings.noteNames(group);
    const hyper = { tensor, settings, wanted: this.#namesOf(group) };
    this.#hyper.set(group, hyper);
    upload(tensor, values);
  }

  /**
   * Lets go of the gradients of all parameters, or of none, where it throws.
   * @param setToNone whether `.grad` becomes null; otherwise it is filled with zeros
   */
  zeroGrad(setToNone = true): void {
    const params = this.#check('zeroGrad');
    if (setToNone) {
      for (const p of params) p.clearGrad();
      return;
    }
    const gradients = params.flatMap((p) => (p.grad ? [p.grad] : []));
    for (const p of params) if (p.grad) checkGradient('zeroGrad', p, p.grad);
    noGrad(() => {
      for (const y of gradients) ops.fillInto({ y }, { value: 0 });
    });
  }

  /** State and options; the tensors are the living ones, not copies. Parameters are numbered across the groups. */
  stateDict(): OptimizerState {
    this.#check('stateDict');
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
   * @throws ArgumentError, ShapeError, DtypeError where the state is that of other parameters or of another optimizer
   */
  loadStateDict(saved: OptimizerState): void {
    this.prepareStateDict(saved)();
  }

  /** The checks and allocations of loadStateDict(); what it returns takes over and cannot fail. @internal */
  prepareStateDict(saved: OptimizerState): () => void {
    const op = 'loadStateDict';
    this.#check(op);
    const { settings, numbered, entries } = this.#read(op, saved);
    const fresh = new Map<Tensor, Record<string, Tensor>>();
    try {
      for (const { p, number, group } of numbered) {
        const entry = entries.get(number);
        if (!entry) continue;
        const options = { ...this.paramGroups[group], ...settings[group] } as O;
        const known = { step: 0, ...this.stateOf(options) };
        const wanted = this.#wanted(options);
        // What these options have no use for is taken over as well, if the optimizer knows it: they may change again.
        for (const name in entry) {
          if (!Object.hasOwn(known, name))
            throw new ArgumentError(
              `${op}: expected ${Object.keys(known).join(', ')} for parameter ${number}, got '${name}'`,
            );
          wanted[name] ??= 0;
        }
        const values = Object.keys(wanted).map((name) =>
          savedNumbers(op, `${name} for parameter ${number}`, entry[name], shapeOf(name, p), name === 'step'),
        );
        const state: Record<string, Tensor> = {};
        fresh.set(p, state);
        complete(state, undefined, wanted, p);
        Object.values(state).forEach((x, i) => {
          upload(x, values[i] as ArrayLike<number>);
        });
      }
    } catch (error) {
      for (const state of fresh.values()) discard(state);
      throw error;
    }
    return () => {
      this.#disposeState();
      for (const [p, state] of fresh) this.#state.set(p, state as State);
      settings.forEach((own, i) => {
        Object.assign(this.paramGroups[i] as object, own);
      });
    };
  }

  /** The parts of a saved state. @throws ArgumentError where it is none, or that of other groups or options */
  #read(op: string, saved: unknown) {
    expectObject(op, 'what stateDict() gave', saved);
    const { state, paramGroups } = saved;
    expectObject(op, 'the state', state);
    if (!Array.isArray(paramGroups))
      throw new ArgumentError(`${op}: expected paramGroups to be a list of groups, got ${kindOf(paramGroups)}`);
    const numbers = paramGroups.map((group: unknown) => {
      expectObject(op, 'a group of parameters', group);
      const { params } = group;
      if (!Array.isArray(params) || !params.every((n) => Number.isSafeInteger(n) && n >= 0))
        throw new ArgumentError(`${op}: expected the params of a group to be a list of numbers, got ${kindOf(params)}`);
      return params as readonly number[];
    });
    const sizes = (lists: readonly (readonly unknown[])[]): string => lists.map(({ length }) => length).join(', ');
    const own = this.paramGroups.map(({ params }) => params);
    if (sizes(numbers) !== sizes(own))
      throw new ArgumentError(`${op}: expected groups of ${sizes(own)} parameters, got ${sizes(numbers)}`);
    const all = numbers.flat();
    const entries = new Map<number, Readonly<Record<string, unknown>>>();
    for (const [key, entry] of Object.entries(state)) {
      expectObject(op, `the state of parameter ${key}`, entry);
      entries.set(Number(key), entry);
    }
    const strange = [...entries.keys()].find((n) => !all.includes(n));
    if (strange !== undefined || new Set(all).size !== all.length)
      throw new ArgumentError(`${op}: expected each parameter once, and states of those only, got ${strange ?? all}`);
    const settings = paramGroups.map((group, i) => {
      const merged = { ...this.paramGroups[i], ...(group as object) } as ParamGroup<O>;
      expectSettings(op, merged, this.#defaults);
      this.check(merged);
      const { params: _, ...options } = merged;
      return options;
    });
    const numbered = own.flatMap((params, group) =>
      params.map((p, i) => ({ p, group, number: numbers[group]?.[i] as number })),
    );
    return { settings, numbered, entries };
  }

  #disposeState(): void {
    for (const state of this.#state.values()) discard(state);
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
  readonly settings: Watch;
  /** The names of the state tensors that they ask for. */
  readonly wanted: readonly string[];
}

const sameItems = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

function definedOnly(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The shape of a state tensor of parameter `p`. */
const shapeOf = (name: string, p: Tensor): readonly number[] => (name === 'step' ? [] : p.shape);

/**
 * Makes in `made` what `state` lacks of `wanted`: all at first; a buffer when a setting such as momentum was turned on
 * later.
 */
function complete(
  made: Record<string, Tensor>,
  state: State | undefined,
  wanted: Readonly<Record<string, number>>,
  p: Tensor,
): void {
  for (const name in wanted) {
    if (state?.[name]) continue;
    const x = Tensor.allocate(shapeOf(name, p), 'f32', 'optimizer').keep();
    made[name] = x;
    ops.fillInto({ y: x }, { value: wanted[name] as number });
  }
}

/** What of `state` the settings still ask for: momentum may have been turned off. */
function only(wanted: readonly string[], state: State): State {
  if (Object.keys(state).length === wanted.length) return state;
  return Object.fromEntries(wanted.map((name) => [name, state[name]])) as State;
}

function discard(state: Readonly<Record<string, Tensor>>): void {
  for (const x of Object.values(state)) x.dispose();
}

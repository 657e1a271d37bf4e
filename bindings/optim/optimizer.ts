// What every optimizer shares: parameter groups, state tensors, and a step that is one fused kernel a parameter.

import { ops, withoutTape, withTape } from '../autograd.ts';
import { aside, type Tracer, tracing, upload } from '../execute.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import type { SavedTensor } from '../nn/state.ts';
import { listOf } from '../nn/utils/list.ts';
import type { SparseTensor } from '../ops/sparse-tensor.ts';
import { type Signature, signature } from '../signature.ts';
import { checkGradient, Tensor } from '../tensor.ts';
import { counters, countSteps, filled } from './counters.ts';
import { readSaved, savedNumbers } from './saved.ts';
import {
  discard,
  expectObject,
  expectParameters,
  expectSettings,
  type Known,
  only,
  sameItems,
  settingsOf,
  watchSettings,
} from './settings.ts';

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

/** Does the step of a parameter with this gradient, state and settings. @internal */
export type Update = (p: Tensor, g: Tensor, state: State, hyper: Tensor, group: object) => void;

/** What {@link Optimizer.stateDict} gives and {@link Optimizer.loadStateDict} takes. */
export interface OptimizerState {
  /** For each parameter that has been updated, by its number across the groups, its tensors by PyTorch's names. */
  state: Record<string, Record<string, Tensor | SavedTensor>>;
  /** The options of each group, and the numbers of its parameters. */
  paramGroups: (Settings & GroupParams<number[]>)[];
}

/** What the methods take. */
const takes = {
  addParamGroup: signature('Optimizer.addParamGroup(paramGroup: object)'),
  step: signature('Optimizer.step(closure?: function)'),
  zeroGrad: signature('Optimizer.zeroGrad(setToNone: bool = true)'),
  stateDict: signature('Optimizer.stateDict()'),
  loadStateDict: signature('Optimizer.loadStateDict(stateDict: object)'),
  dispose: signature('Optimizer.dispose()'),
};

/** Base class of the optimizers, with options O (PyTorch's `optim.Optimizer`). */
export abstract class Optimizer<O extends object = object> {
  /** The parameters, and the options that they are updated with. */
  readonly paramGroups: ParamGroup<O>[] = [];
  /** The settings that there are. */
  readonly #settings: Known;
  readonly #defaults: O;
  /** The parameters, as they were found right last. */
  #parameters: readonly Tensor[] = [];
  readonly #state = new Map<Tensor, State>();
  readonly #hyper = new Map<ParamGroup<O>, Hyper>();

  /** @param declared what the constructor takes: the parameters, and the settings with their defaults @internal */
  constructor(declared: Signature, args: readonly unknown[]) {
    const values = declared.parse(args);
    const { name, parameters } = declared;
    this.#settings = parameters.filter(({ absent }, i) => i > 0 && !absent);
    this.#defaults = Object.fromEntries(
      parameters.flatMap(({ name: own, absent }, i) => (absent || i === 0 ? [] : [[own, values[i]]])),
    ) as O;
    const list = listOf(name, values[0]);
    const grouped = list.length > 0 && !(list[0] instanceof Tensor);
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
  /** @throws ArgumentError for a gradient of a kind that these options cannot step by @internal */
  protected expectGradient(g: Tensor, _group: O): void {
    g.expectDense('step', this.constructor.name);
  }
  /** Calls the fused op for one parameter. @internal */
  protected abstract update(p: Tensor, g: Tensor, state: State, hyper: Tensor, group: O): void;
  /**
   * Updates all parameters, as `forAll` goes through them.
   * @param count counts the step, before the first of them is written
   * @param _undo takes back the state that was made for this step, where none of it was written
   * @internal
   */
  protected updateAll(forAll: (update: Update) => void, count: () => void, _undo: () => void): void {
    count();
    forAll((p, g, state, hyper, group) => this.update(p, g, state, hyper, group as O));
  }
  /** The shape of a state tensor of parameter `p`; null for one that it has no use for. @internal */
  protected shapeOf(name: string, p: Tensor): readonly number[] | null {
    return name === 'step' ? [] : p.shape;
  }

  /**
   * Adds a group of parameters, which are trained from the next step on (PyTorch's `add_param_group`).
   * @param group its parameters, and the options that are not those of the optimizer
   * @throws ArgumentError, before anything changes
   */
  addParamGroup(group: NewGroup<O>): void;
  addParamGroup(...args: unknown[]): void {
    const [group] = takes.addParamGroup.parse(args);
    const added = this.#newGroup('addParamGroup', group);
    this.#check('addParamGroup', [...this.paramGroups, added]);
    this.paramGroups.push(added);
  }

  #newGroup(op: string, group: unknown): ParamGroup<O> {
    expectObject(op, 'a group of parameters', group);
    const { params, ...options } = group;
    const list = params instanceof Tensor ? [params] : listOf(op, params);
    return { ...settingsOf(this.#defaults), ...settingsOf(options), params: list as Tensor[] } as ParamGroup<O>;
  }

  /** All parameters, checked. @internal */
  protected checked(op: string): readonly Tensor[] {
    return this.#check(op);
  }

  /** Checks groups, which users may have changed since the last call. @returns their parameters */
  #check(op: string, groups: readonly ParamGroup<O>[] = this.paramGroups): readonly Tensor[] {
    const all: unknown[] = [];
    for (const group of groups) {
      expectObject(op, 'a group of parameters', group);
      if (!Array.isArray(group.params))
        throw new ArgumentError(`${op}: expected params to be a list of parameters, got ${describe(group.params)}`);
      this.#checkGroup(op, group);
      for (const p of group.params) all.push(p);
    }
    expectParameters(op, all, this.#parameters);
    if (groups === this.paramGroups) this.#parameters = all;
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
  step(...args: unknown[]): unknown {
    const [closure] = takes.step.parse(args) as [(() => unknown) | undefined];
    const loss = closure && withTape(true, closure, 'step');
    // Checks and state first: when a gradient does not fit or memory runs out here, no parameter has been touched.
    this.#check('step');
    for (const group of this.paramGroups)
      for (const p of group.params) {
        if (!p.grad) continue;
        checkGradient('step', p, p.grad);
        this.expectGradient(p.grad, group);
        const state = this.#state.get(p);
        for (const name in state) (state[name] as Tensor).checkAlive();
      }
    const undo = aside(() => withoutTape(() => this.#prepare()));
    const tracer = tracing();
    if (tracer) {
      // Groups and parameters may be replaced as well, and settings turned on that need other state.
      tracer.dependOn(this, ['paramGroups']);
      for (const group of this.paramGroups) this.#replay(tracer, group);
    }
    const forAll = (update: Update): void => {
      for (const group of this.paramGroups) {
        const { tensor, wanted } = this.#hyper.get(group) as Hyper;
        for (const p of group.params)
          if (p.grad) update(p, p.grad, only(wanted, this.#state.get(p) as State), tensor, group);
      }
    };
    withoutTape(() => this.updateAll(forAll, () => countSteps(this.#parameters, this.#state), undo));
    return loss;
  }

  /**
   * What a program does with the settings of a group, which may change between its runs: kernels read them where this
   * writes them. It looks at them once a run.
   */
  #replay(tracer: Tracer, group: ParamGroup<O>): void {
    tracer.dependOn(group, ['params']);
    const { wanted } = this.#hyper.get(group) as Hyper;
    let settled = false;
    tracer.guard(() => {
      const now = this.#hyper.get(group);
      settled = now?.isSettled() ?? false;
      return (settled ? now?.wanted : this.#namesOf(group)) === wanted;
    });
    tracer.beforeRun(() => {
      if (!settled) this.#settle(group);
    });
  }

  /**
   * Makes what the next step needs: settings where kernels read them, and the state of every parameter with a gradient.
   * @returns what takes that state back
   */
  #prepare(): () => void {
    const made: [p: Tensor, fresh: Record<string, Tensor>, before: State | undefined][] = [];
    const counter = counters(this.#parameters.length);
    try {
      for (const group of this.paramGroups) {
        const { wanted } = this.#settle(group);
        for (const p of group.params) {
          const state = this.#state.get(p);
          // It may have all of what it has a use for.
          if (!p.grad || (state && wanted.every((name) => name in state || !this.shapeOf(name, p)))) continue;
          const fresh: Record<string, Tensor> = {};
          made.push([p, fresh, state]);
          this.#complete(fresh, state, this.#wanted(group), p, counter);
        }
      }
    } catch (error) {
      for (const [, state] of made) discard(state);
      throw error;
    }
    for (const [p, fresh, before] of made) this.#state.set(p, { ...before, ...fresh } as State);
    return () => {
      for (const [p, fresh, before] of made) {
        if (before) this.#state.set(p, before);
        else this.#state.delete(p);
        discard(fresh);
      }
    };
  }

  /** The state tensors that the options ask for, with their first values. */
  #wanted(group: O): Record<string, number> {
    const wanted: Record<string, number> = { step: 0 };
    for (const [name, value] of Object.entries(this.stateOf(group))) if (value !== null) wanted[name] = value;
    return wanted;
  }

  /**
   * Makes in `made` what `state` lacks of `wanted`: all at first; a buffer when a setting such as momentum was turned
   * on later.
   */
  #complete(
    made: Record<string, Tensor>,
    state: State | undefined,
    wanted: Readonly<Record<string, number>>,
    p: Tensor,
    counter: () => Tensor,
  ): void {
    for (const name in wanted) {
      const shape = this.shapeOf(name, p);
      if (state?.[name] || !shape) continue;
      made[name] = name === 'step' ? counter() : filled(shape, wanted[name] as number);
    }
  }

  /** The names of the state tensors of a group: the same list while they are the same. */
  #namesOf(group: ParamGroup<O>): readonly string[] {
    const hyper = this.#hyper.get(group);
    if (hyper?.isSettled()) return hyper.wanted;
    const names = Object.keys(this.#wanted(group));
    return hyper && sameItems(hyper.wanted, names) ? hyper.wanted : names;
  }

  /** Checks the settings of a group, unless they are as they were when kernels got them. */
  #checkGroup(op: string, group: ParamGroup<O>): void {
    if (this.#hyper.get(group)?.isSettled()) return;
    expectSettings(op, group, this.#settings);
    this.check(group);
  }

  /** Checks the settings of a group and writes them where kernels read them, unless they are as they were. */
  #settle(group: ParamGroup<O>): Hyper {
    const known = this.#hyper.get(group);
    if (known?.isSettled()) return known;
    this.#checkGroup('step', group);
    const values = this.hyper(group);
    const tensor = known?.tensor ?? filled([values.length], 0);
    const hyper = { tensor, isSettled: watchSettings(group), wanted: this.#namesOf(group) };
    this.#hyper.set(group, hyper);
    upload(tensor, values);
    return hyper;
  }

  /**
   * Lets go of the gradients of all parameters, or of none, where it throws.
   * @param setToNone whether `.grad` becomes null; otherwise it is filled with zeros
   */
  zeroGrad(setToNone?: boolean | { setToNone?: boolean }): void;
  zeroGrad(...args: unknown[]): void {
    const [setToNone] = takes.zeroGrad.parse(args);
    const params = this.#check('zeroGrad');
    if (setToNone) for (const p of params) p.clearGrad();
    for (const p of params) if (p.grad) checkGradient('zeroGrad', p, p.grad);
    withoutTape(() => {
      for (const { grad: y } of params)
        if (y?.isSparse) (y as SparseTensor).clear();
        else if (y) ops.fillInto({ y }, { value: 0 });
    });
  }

  /** State and options; the tensors are the living ones, not copies. Parameters are numbered across the groups. */
  stateDict(): OptimizerState;
  stateDict(...args: unknown[]): OptimizerState {
    takes.stateDict.parse(args);
    this.#check('stateDict');
    let number = 0;
    const state: OptimizerState['state'] = {};
    const paramGroups = this.paramGroups.map(({ params, ...settings }) => ({
      ...(settingsOf(settings) as Settings),
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
  loadStateDict(saved: OptimizerState): void;
  loadStateDict(...args: unknown[]): void {
    const [saved] = takes.loadStateDict.parse(args);
    this.prepareStateDict(saved as OptimizerState)();
  }

  /** The checks and allocations of loadStateDict(); what it returns takes over and cannot fail. @internal */
  prepareStateDict(saved: OptimizerState): () => void {
    const op = 'loadStateDict';
    this.#check(op);
    const { numbers, entries, groups } = readSaved(op, saved, this.paramGroups);
    const settings = groups.map((group, i) => {
      const { params, ...merged } = { ...this.paramGroups[i], ...group } as ParamGroup<O>;
      expectSettings(op, { ...merged, params }, this.#settings);
      this.check(merged as unknown as O);
      return settingsOf(merged) as typeof merged;
    });
    const numbered = this.paramGroups.flatMap(({ params }, group) =>
      params.map((p, i) => ({ p, group, number: numbers[group]?.[i] as number })),
    );
    const fresh = new Map<Tensor, Record<string, Tensor>>();
    const counter = counters(numbered.length);
    try {
      for (const { p, number, group } of numbered) {
        const entry = entries.get(number);
        if (!entry) continue;
        const options = { ...this.paramGroups[group], ...settings[group] } as O;
        const known = Object.keys({ step: 0, ...this.stateOf(options) }).filter((name) => this.shapeOf(name, p));
        const wanted = this.#wanted(options);
        // What these options have no use for is taken over as well, if the optimizer knows it: they may change again.
        for (const name in entry) {
          if (!known.includes(name))
            throw new ArgumentError(`${op}: expected ${known.join(', ')} for parameter ${number}, got '${name}'`);
          wanted[name] ??= 0;
        }
        const state: Record<string, Tensor> = {};
        fresh.set(p, state);
        this.#complete(state, undefined, wanted, p, counter);
        for (const [name, x] of Object.entries(state))
          upload(x, savedNumbers(op, `${name} for parameter ${number}`, entry[name], x.sizes, name === 'step'));
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

  #disposeState(): void {
    for (const state of this.#state.values()) discard(state);
    this.#state.clear();
  }

  /** Gives back the memory of the state; the parameters stay. */
  dispose(): void;
  dispose(...args: unknown[]): void {
    takes.dispose.parse(args);
    this.#disposeState();
    for (const { tensor } of this.#hyper.values()) tensor.dispose();
    this.#hyper.clear();
  }
}

/** The settings of a group where kernels read them, and which those are. */
interface Hyper {
  readonly tensor: Tensor;
  readonly isSettled: () => boolean;
  /** The names of the state tensors that they ask for. */
  readonly wanted: readonly string[];
}

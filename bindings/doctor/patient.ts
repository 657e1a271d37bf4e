// What is watched: a model, its parameters by path, and the optimizer; and looks at it that leave no trace.
import { withTape } from '../autograd.ts';
import type { ModuleLink } from '../execute.ts';
import type { Module } from '../nn/module.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { getRngState, setRngState } from '../random.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { Copies } from './copies.ts';

/** A parameter of the model, or one that only the optimizer has. */
export interface Weight {
  /** Its path; '' where the model does not have it. */
  readonly path: string;
  readonly x: Tensor;
  /** The options of its group; null: the optimizer does not have it. */
  readonly group: Readonly<Record<string, unknown>> | null;
}

/** Where a parameter stands: the path without its own name. */
export const ownerOf = (path: string): string => path.split('.').slice(0, -1).join('.');

export class Patient {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** Whether what the model is called with now is the doctor's. */
  examined = false;

  constructor(model: Module, optimizer: Optimizer) {
    this.model = model;
    this.optimizer = optimizer;
  }

  /** All parameters, each once, as they were when they were last looked for. */
  known(): readonly Weight[] {
    return this.#known ?? this.weights();
  }
  #known: readonly Weight[] | null = null;

  /** All parameters, each once. */
  weights(): readonly Weight[] {
    this.#known = this.#find();
    return this.#known;
  }

  #find(): Weight[] {
    const groups = new Map<Tensor, Weight['group']>();
    for (const group of this.optimizer.paramGroups)
      for (const x of group.params) groups.set(x, group as unknown as Weight['group']);
    const named = this.model.namedParameters().map(([path, x]) => ({ path, x, group: groups.get(x) ?? null }));
    for (const { x } of named) groups.delete(x);
    return [...named, ...Array.from(groups, ([x, group]) => ({ path: '', x, group }))];
  }

  /** The path of the innermost module of the model that was running; null: none of them. */
  pathOf(link: ModuleLink | null, paths: ReadonlyMap<object, string>): string | null {
    for (let at = link; at; at = at.parent) {
      const path = paths.get(at.module);
      if (path !== undefined) return path;
    }
    return null;
  }

  modules(): Map<object, string> {
    return new Map(this.model.namedModules().map(([path, module]) => [module, path]));
  }

  run(x: Tensor): unknown {
    return (this.model as unknown as { forward(x: Tensor): unknown }).forward(x);
  }

  /** Calls `fn`, which may run the model, and puts back buffers, modes, and what random numbers come next. */
  aside<T>(fn: () => T): T {
    const rng = getRngState();
    const modes = this.model.modules().map((module) => [module, module.training] as const);
    // Looks may stand in one another.
    const buffers = new Copies();
    buffers.take(this.model.buffers());
    const before = this.examined;
    this.examined = true;
    try {
      return scope(() => withTape(true, fn, 'doctor'));
    } finally {
      this.examined = before;
      buffers.putBack();
      buffers.clear();
      for (const [module, mode] of modes) module.training = mode;
      setRngState(rng);
    }
  }
}

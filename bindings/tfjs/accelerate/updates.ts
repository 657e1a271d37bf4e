// Patches applyGradients() of tfjs's optimizers: one kernel a weight, in place.
import { runtime } from '../../engine/engine.ts';
import { adamKernels, sgdKernels, tensorflowKernels } from '../../generated/kernel-calls.ts';
import { addKernels } from '../../kernels/table.ts';
import type { Block } from '../../memory/arena.ts';
import { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import { makeSlots, type Rule, ruleOf, SETTINGS, writeSettings } from './optimizers.ts';
import {
  type Gradients,
  OPTIMIZERS,
  type TfEngine,
  type TfModule,
  type TfOptimizer,
  type TfTensor,
  type TfVariable,
} from './tensorflow.ts';

/** What is patched, and how that is undone. */
export type Restore = () => void;

/** What a step has to do with its optimizer outside of the kernels. */
export interface Step {
  /** Writes what the kernels read. */
  before(): void;
  after(): void;
}

/** A weight and its gradient. */
type Pair = readonly [weight: TfVariable, gradient: TfTensor | null];

const isFloat = ({ dtype, size }: TfTensor, data: Data): boolean =>
  dtype === 'float32' && data.dtype === 'float32' && data.size === size;

/** Replaces a method of a prototype. */
export function patch<T, K extends keyof T>(prototype: T, name: K, by: (original: T[K]) => T[K]): Restore {
  const original = prototype[name];
  prototype[name] = by(original);
  return () => {
    prototype[name] = original;
  };
}

/**
 * The data of a variable, of which nobody else has the same: whoever holds a clone of it must not see what is written
 * in place, so the variable gets a copy where there is one. Nor must a kernel that waits.
 */
export function own(engine: TfEngine, backend: Backend, variable: TfVariable): Data {
  const data = backend.at(variable);
  backend.settleAll(data);
  if (backend.tracer) return data;
  if (data.refCount === 1 && data.readers === 0) {
    // A tensor of ours over the same memory parts from it.
    data.block.version++;
    return data;
  }
  const { shape, dtype } = variable;
  const dataId = backend.write(data.look(), shape, dtype);
  const copy = engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
  variable.assign(copy);
  copy.dispose();
  return dataId;
}

/** The optimizers of one copy of tfjs. */
export class Updates {
  readonly #tf: TfModule;
  readonly #engine: TfEngine;
  readonly #rules = new Map<unknown, Rule>();
  /** Where the kernels of an optimizer read its settings, outside of programs. */
  readonly #settings = new WeakMap<TfOptimizer, Block>();
  /** Gets what a step has to do outside of a program, while one is traced. */
  #traced: { readonly hyper: Block; step: Step | null } | null = null;

  readonly #stats: { steps: number };

  /** @param stats counts the steps that were done by kernels of this package */
  constructor(tf: TfModule, engine: TfEngine, stats: { steps: number }) {
    this.#tf = tf;
    this.#engine = engine;
    this.#stats = stats;
    for (const name of OPTIMIZERS) this.#rules.set(tf[name].prototype.constructor, ruleOf(name));
  }

  /** The rule of an optimizer; undefined for a class that is not tfjs's own. */
  ruleOf(optimizer: TfOptimizer): Rule | undefined {
    return this.#rules.get(optimizer.constructor);
  }

  patch(): Restore[] {
    for (const family of [sgdKernels, adamKernels, tensorflowKernels]) addKernels(family);
    const updates = this;
    return OPTIMIZERS.map((name) => {
      const { prototype } = this.#tf[name];
      return patch(
        prototype,
        'applyGradients',
        (original) =>
          function (this: TfOptimizer, gradients: Gradients): void {
            if (!updates.#apply(this, gradients)) original.call(this, gradients);
          },
      );
    });
  }

  /** The variables that a step of the optimizer writes besides the weights. */
  variablesOf(optimizer: TfOptimizer): TfVariable[] {
    const rule = this.ruleOf(optimizer);
    if (!rule) return [];
    return rule.slots(optimizer).flatMap((slots) => (slots ?? []).map(({ variable }) => variable));
  }

  /** Traces `fn`, which steps an optimizer. @param hyper where its kernels will read the settings */
  trace(hyper: Block, fn: () => void): Step | null {
    const traced = { hyper, step: null };
    this.#traced = traced;
    try {
      fn();
    } finally {
      this.#traced = null;
    }
    return traced.step;
  }

  /** @returns whether it was done */
  #apply(optimizer: TfOptimizer, gradients: Gradients): boolean {
    const engine = this.#engine;
    const { backend } = engine;
    const rule = this.ruleOf(optimizer);
    if (!rule || !(backend instanceof Backend)) return false;
    const { registeredVariables } = engine.state;
    const pairs = (
      Array.isArray(gradients)
        ? gradients
        : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }) as { name: string; tensor: TfTensor })
    ).map(({ name, tensor }): Pair => [registeredVariables[name] as TfVariable, tensor ?? null]);
    for (const [weight, gradient] of pairs) {
      if (!weight || !isFloat(weight, backend.at(weight))) return false;
      if (gradient && !(isFloat(gradient, backend.at(gradient)) && gradient.size === weight.size)) return false;
    }
    if (!backend.tracer) for (const [i, [weight]] of pairs.entries()) makeSlots(this.#tf, rule, optimizer, weight, i);
    const step = this.#stepOf(rule, optimizer, backend);
    const { hyper } = step;
    if (this.#traced) this.#traced.step = step;
    else step.before();
    const slots = rule.slots(optimizer);
    // All memory is there before anything is written: a step is done as a whole, or not at all.
    for (const counter of rule.counters?.(optimizer) ?? []) own(engine, backend, counter);
    const changes = pairs.flatMap(([weight, gradient], i) => {
      if (!gradient) return [];
      const p = own(engine, backend, weight);
      const states = slots.map((list) => list && own(engine, backend, (list[i] as { variable: TfVariable }).variable));
      return { p, g: backend.at(gradient), n: p.size, hyper: { block: hyper, byteOffset: 0 }, states };
    });
    for (const change of changes) rule.update(backend.kernels, change, optimizer);
    if (!this.#traced) step.after();
    return true;
  }

  #stepOf(rule: Rule, optimizer: TfOptimizer, backend: Backend): Step & { readonly hyper: Block } {
    const hyper = this.#traced?.hyper ?? this.#settingsOf(optimizer);
    const at = (x: TfTensor): number => backend.at(x).look()[0] as number;
    return {
      hyper,
      before: () => writeSettings({ block: hyper, byteOffset: 0 }, rule.settings(optimizer, at)),
      after: () => {
        const counters = rule.counters?.(optimizer) ?? [];
        const values = rule.advance?.(optimizer, counters.map(at)) ?? [];
        for (let i = 0; i < values.length; i++)
          own(this.#engine, backend, counters[i] as TfVariable).look()[0] = values[i] as number;
        optimizer.incrementIterations();
        this.#stats.steps++;
      },
    };
  }

  #settingsOf(optimizer: TfOptimizer): Block {
    let block = this.#settings.get(optimizer);
    if (!block || block.freed) {
      block = runtime().arena.lasting(4 * SETTINGS, 'TensorFlow.js');
      this.#settings.set(optimizer, block);
    }
    return block;
  }
}

// What a function asks tfjs's engine for, as a tree: paths that begin alike share their beginning. A function whose
// calls follow a path that is known makes what that path makes.
import type { NumberDtype } from '../data.ts';
import type { TfTensor, TfVariable } from './tensorflow.ts';

/** What a call reads: a result of an earlier call, a tensor from outside, or a variable. */
export interface Source {
  /** The name of the input. */
  readonly name: string;
  /** Its number among the results of all calls, or -1. */
  readonly out: number;
  /** Its number among the tensors from outside, by their first use, or -1. */
  readonly outside: number;
  readonly variable: TfVariable | null;
  readonly shape: readonly number[];
  readonly dtype: NumberDtype;
}

/** What a call makes. */
export interface Output {
  readonly shape: readonly number[];
  readonly dtype: NumberDtype;
  /** The input whose data it shares, or -1. */
  readonly shares: number;
}

/**
 * A kernel; or that a function with a gradient of its own begins, keeps tensors for its gradient, or ends; or that a
 * variable is assigned to.
 */
export type Kind = 'kernel' | 'begin' | 'save' | 'end' | 'assign';

/** A call, and the calls that have followed it. */
export interface Call {
  readonly kind: Kind;
  /** Of the kernel, or of the function. */
  readonly name: string;
  readonly attrs: unknown;
  /** Null where an input is left out. */
  readonly inputs: readonly (Source | null)[];
  readonly outputs: readonly Output[];
  /** Whether it gives a list, also of one. */
  readonly list: boolean;
  readonly next: Call[];
}

export const rootCall = (): Call => ({
  ...{ kind: 'begin', name: '', attrs: null, inputs: [], outputs: [], list: false, next: [] },
});

/** Inputs by name, or a list of them. */
export type Inputs = Readonly<Record<string, TfTensor | null | undefined>>;

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether attributes are equal; functions are only where they are the same. */
export function sameAttrs(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
  const [one, two] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  let left = 0;
  for (const name in one) {
    if (!sameAttrs(one[name], two[name])) return false;
    left++;
  }
  for (const _ in two) left--;
  return left === 0;
}

/** Attributes as they are now, whatever is written into their lists later. */
export function copyAttrs(attrs: unknown): unknown {
  if (Array.isArray(attrs)) return attrs.map(copyAttrs);
  if (typeof attrs !== 'object' || !attrs || Object.getPrototypeOf(attrs) !== Object.prototype) return attrs;
  return Object.fromEntries(Object.entries(attrs).map(([name, value]) => [name, copyAttrs(value)]));
}

/** A call of this run: what it was called with. */
export interface Made {
  readonly call: Call;
  readonly inputs: Inputs;
  readonly attrs: unknown;
  /** The number of its first result. */
  readonly first: number;
  /** Of a function with a gradient of its own. */
  readonly frame: Frame | null;
}

/** A function with a gradient of its own that runs. */
export interface Frame {
  readonly inputs: Inputs;
  readonly backwardsFunc: unknown;
  /** What its gradient is given, as the tape has it; null until there are any. */
  saved: TfTensor[] | null;
  /** Whether gradients go through it: it is in no other such function. */
  readonly taped: boolean;
}

/** What performs calls. */
export interface Performer {
  runKernel(name: string, inputs: object, attrs: unknown): TfTensor | TfTensor[];
  runKernelFunc(call: object): TfTensor | TfTensor[];
}

/** Makes calls again with other tensors from outside. @returns the results of all of them */
export function perform(engine: Performer, all: readonly Made[], outside: readonly TfTensor[]): TfTensor[] {
  const outs: TfTensor[] = [];
  const tensorOf = (source: Source): TfTensor =>
    source.variable ?? ((source.out < 0 ? outside[source.outside] : outs[source.out]) as TfTensor);
  const listOf = ({ inputs }: Call): TfTensor[] => inputs.map((source) => tensorOf(source as Source));
  const inputsOf = ({ call, inputs }: Made): Inputs => {
    const given: Record<string, TfTensor | null> = Array.isArray(inputs) ? ([] as never) : {};
    Object.keys(inputs).forEach((name, i) => {
      const source = call.inputs[i];
      given[name] = source ? tensorOf(source) : null;
    });
    return given;
  };
  let at = 0;
  /** Until the function that runs ends: then its results. */
  const walk = (save: ((tensors: TfTensor[]) => void) | null): TfTensor[] => {
    for (let made = all[at++]; made; made = all[at++]) {
      const { call, attrs, frame } = made;
      switch (call.kind) {
        case 'kernel':
          outs.push(...[engine.runKernel(call.name, inputsOf(made), attrs)].flat());
          break;
        case 'begin':
          engine.runKernelFunc({
            inputs: inputsOf(made),
            backwardsFunc: frame?.backwardsFunc,
            forwardFunc: (_: unknown, saveIn: (tensors: TfTensor[]) => void) => {
              const results = walk(saveIn);
              return results.length === 1 ? results[0] : results;
            },
          });
          break;
        case 'save':
          save?.(listOf(call));
          break;
        case 'assign': {
          const [variable, value] = listOf(call) as [TfVariable, TfTensor];
          variable.assign(value);
          break;
        }
        case 'end':
          return listOf(call);
      }
    }
    return [];
  };
  walk(null);
  return outs;
}

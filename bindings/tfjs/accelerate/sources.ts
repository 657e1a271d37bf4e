// What the calls of a function read: results of earlier ones, tensors from outside, and variables.
import type { Backend } from '../backend.ts';
import { type Data, isNumber } from '../data.ts';
import { type Call, type Inputs, type Source, sameShape } from './calls.ts';
import type { TfEngine, TfTensor, TfVariable } from './tensorflow.ts';

const isVariable = (x: TfTensor): x is TfVariable => 'assign' in x;

export class Sources {
  /** Tensors from outside, in the order of their first use. */
  readonly outside: TfTensor[] = [];
  /** The results of all calls. */
  readonly outs: TfTensor[] = [];
  /** The data of tensors from outside, whoever has let go of it meanwhile. */
  readonly data: Data[] = [];
  readonly #backend: Backend;

  readonly #engine: TfEngine;

  constructor(engine: TfEngine, backend: Backend) {
    this.#engine = engine;
    this.#backend = backend;
  }

  /** Whether inputs are what a call reads, by names and by what they are. */
  reads({ inputs: sources }: Call, inputs: Inputs): boolean {
    const { length } = this.outside;
    let i = 0;
    for (const name in inputs) {
      const source = sources[i];
      if (i++ >= sources.length || !this.#isSource(source ?? null, name, inputs[name] ?? null)) {
        this.#forget(length);
        return false;
      }
    }
    if (i === sources.length) return true;
    this.#forget(length);
    return false;
  }

  #isSource(source: Source | null, name: string, x: TfTensor | null): boolean {
    if (!source || !x) return !source && !x;
    if (source.name !== name) return false;
    if (source.variable) return x === source.variable;
    if (source.out >= 0) return x === this.outs[source.out];
    const known = this.outside[source.outside];
    if (known) return x === known;
    return x.dtype === source.dtype && sameShape(x.shape, source.shape) && this.#take(x);
  }

  /** Takes a tensor from outside, whose memory stays until the run is over. @returns whether it is one */
  #take(x: TfTensor): boolean {
    if (isVariable(x) || this.outside.includes(x) || this.#outOf(x) >= 0) return false;
    const data = this.#backend.at(x);
    if (data.dtype !== x.dtype || !isNumber(x.dtype)) return false;
    data.block.version;
    data.readers++;
    this.outside.push(x);
    this.data.push(data);
    return true;
  }

  /** Lets go of tensors from outside but for the first. */
  #forget(length: number): void {
    this.outside.length = length;
    for (const data of this.data.splice(length)) this.#backend.letGo(data);
  }

  /** The number of a result, whose ids grow; -1 for another tensor. */
  #outOf({ id }: TfTensor): number {
    const { outs } = this;
    let [low, high] = [0, outs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((outs[middle] as TfTensor).id < id) low = middle + 1;
      else high = middle;
    }
    return outs[low]?.id === id ? low : -1;
  }

  /** What an input is; undefined where it has no numbers of this backend. */
  sourceOf(name: string, x: TfTensor): Source | undefined {
    const source = {
      name,
      out: -1,
      outside: -1,
      variable: null,
      shape: [...x.shape],
      dtype: x.dtype as Source['dtype'],
    };
    if (isVariable(x)) return { ...source, variable: x };
    const out = this.#outOf(x);
    if (out >= 0) return { ...source, out };
    if (!this.outside.includes(x) && !this.#take(x)) return undefined;
    return { ...source, outside: this.outside.indexOf(x) };
  }

  /** Calls `fn` with those tensors living. */
  reviving<T>(fn: () => T): T {
    const revived = this.data.filter((data) => this.#backend.revive(data));
    try {
      return fn();
    } finally {
      for (const data of revived) this.dispose(data);
    }
  }

  /** Lets go of data that was revived. */
  dispose(data: Data): void {
    if (this.#backend.disposeData(data)) this.#engine.removeDataId(data, this.#backend);
  }

  /** Lets go of tensors from outside. */
  end(): void {
    for (const data of this.data.splice(0)) this.#backend.letGo(data);
  }
}

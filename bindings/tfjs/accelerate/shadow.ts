// A run of a function whose gradients are asked for, against the paths that are known of it. While its calls follow
// one, nothing is computed: its tensors are shadows, and its own code, which is all that knows what it does this time,
// runs to its end. Where it leaves all known paths, or looks at a number, its calls are made up for, gradients
// included, and it goes on as ever: it never runs twice.
import type { Backend } from '../backend.ts';
import { type Data, isNumber, type Later } from '../data.ts';
import type { Info } from '../engine.ts';
import {
  type Call,
  copyAttrs,
  type Frame,
  type Inputs,
  type Kind,
  type Made,
  type Output,
  type Source,
  sameAttrs,
} from './calls.ts';
import { Sources } from './sources.ts';
import type { CustomCall, TfEngine, TfTensor, TfVariable } from './tensorflow.ts';

/** tfjs's own methods, which are patched. */
export interface Originals {
  runKernel: TfEngine['runKernel'];
  runKernelFunc: TfEngine['runKernelFunc'];
  assign(variable: TfVariable, value: TfTensor): void;
}

/** A variable that was assigned to, and what it had. */
interface Assigned {
  readonly variable: TfVariable;
  readonly before: Data;
}

/**
 * Functions of tfjs with a gradient of their own that is made of their attributes and of what they save: what they
 * compute tells all about it. That of a function of the user's may use anything.
 */
const TRUSTED: ReadonlySet<string> = new Set(
  ['fusedMatMul', 'fusedConv2d', 'fusedDepthwiseConv2d', 'logSoftmax', 'softmaxCrossEntropy'].map((op) => `${op}__op`),
);

/** A list as inputs. */
const listed = (tensors: readonly TfTensor[]): Inputs => Object.fromEntries(tensors.entries());

export class Shadow {
  /** All that was called. */
  readonly made: Made[] = [];
  readonly sources: Sources;
  /** Where it is among the paths. */
  at: Call;
  /** Whether nothing was computed so far. */
  following: boolean;
  /** Why it is not looked at any more. */
  stopped: string | null = null;
  /** Whether tfjs asks for kernels of its own, for its tape. */
  busy = false;
  readonly #engine: TfEngine;
  readonly #backend: Backend;
  readonly #originals: Originals;
  readonly #assigned: Assigned[] = [];
  #frames = 0;
  readonly #later: Later = {
    inputs: [],
    compute: () => {},
    joins: () => false,
    settle: () => this.stop('it reads the values of a tensor'),
  };

  constructor(engine: TfEngine, backend: Backend, originals: Originals, root: Call) {
    this.#engine = engine;
    this.#backend = backend;
    this.#originals = originals;
    this.sources = new Sources(engine, backend);
    this.at = root;
    this.following = root.next.length > 0;
  }

  runKernel(name: string, inputs: Inputs, attrs: unknown): TfTensor | TfTensor[] {
    if (this.following) {
      const call = this.#follow('kernel', name, inputs, attrs);
      if (call) return this.#shadows(call, inputs, attrs);
    }
    const first = this.sources.outs.length;
    const result = this.#aside(() => this.#originals.runKernel(name, inputs, attrs));
    if (!this.stopped) {
      const all = Array.isArray(result) ? result : [result];
      const call = this.#add('kernel', name, inputs, attrs, all, Array.isArray(result));
      if (call) this.made.push({ call, inputs, attrs, first, frame: null });
    }
    return result;
  }

  /** A function with a gradient of its own. */
  runCustom(custom: CustomCall): TfTensor | TfTensor[] {
    const engine = this.#engine;
    const { inputs, backwardsFunc, forwardFunc } = custom;
    const name = engine.state.activeScope?.name ?? '';
    if (!TRUSTED.has(name)) this.stop('it calls tf.customGrad(), whose gradient may be another each time');
    const taped = engine.state.gradientDepth > 0 && engine.state.kernelDepth === 0;
    const frame: Frame = { inputs, backwardsFunc, saved: null, taped };
    if (this.stopped || !this.#note('begin', name, inputs, frame)) return this.#originals.runKernelFunc(custom);
    if (!this.following) return this.#runInside(name, custom, frame);
    this.#frames++;
    engine.state.kernelDepth++;
    let outs: TfTensor[];
    try {
      outs = [
        engine.tidy(() =>
          forwardFunc(this.#backend, (tensors) => {
            this.#note('save', '', listed(tensors), frame);
            if (!this.following) frame.saved = this.#saved(frame, tensors);
          }),
        ),
      ].flat();
    } finally {
      engine.state.kernelDepth--;
      this.#frames--;
    }
    const result = outs.length === 1 ? (outs[0] as TfTensor) : outs;
    this.#note('end', name, listed(outs), frame);
    // It was made up for meanwhile, but for its end.
    if (!this.following) this.#tape(name, frame, outs);
    return result;
  }

  /** Runs it as tfjs does, and notes what it does. */
  #runInside(name: string, custom: CustomCall, frame: Frame): TfTensor | TfTensor[] {
    return this.#originals.runKernelFunc({
      ...custom,
      forwardFunc: (backend, save) => {
        const out = custom.forwardFunc(backend, (tensors) => {
          this.#note('save', '', listed(tensors), frame);
          this.#aside(() => save(tensors));
        });
        this.#note('end', name, listed([out].flat()), frame);
        return out;
      },
    });
  }

  assign(variable: TfVariable, value: TfTensor): void {
    if (!this.stopped) this.#note('assign', '', { variable, value }, null);
    if (this.following && !this.#assigned.some((one) => one.variable === variable)) {
      const before = this.#backend.at(variable);
      before.refCount++;
      this.#assigned.push({ variable, before });
    }
    this.#originals.assign(variable, value);
  }

  /** It cannot be told what the function does: it goes on as ever. */
  stop(reason: string): void {
    this.stopped ??= reason;
    this.#makeUp();
  }

  /** Notes what has no results. @returns whether it could be */
  #note(kind: Kind, name: string, inputs: Inputs, frame: Frame | null): boolean {
    if (this.stopped) return false;
    const followed = this.following && this.#follow(kind, name, inputs, null);
    const call = followed || this.#add(kind, name, inputs, null, [], true);
    if (call) this.made.push({ call, inputs, attrs: null, first: this.sources.outs.length, frame });
    return call !== null;
  }

  /** Goes on by a known call, if there is one like that; else all is made up for. */
  #follow(kind: Kind, name: string, inputs: Inputs, attrs: unknown): Call | null {
    const { next } = this.at;
    // Profiles are to see all kernels.
    const from = this.#engine.state.profiling ? next.length : 0;
    for (let i = from; i < next.length; i++) {
      const call = next[i] as Call;
      if (
        call.kind !== kind ||
        call.name !== name ||
        !this.sources.reads(call, inputs) ||
        !sameAttrs(call.attrs, attrs)
      )
        continue;
      this.at = call;
      return call;
    }
    this.#makeUp();
    return null;
  }

  /** Results that have no numbers yet. */
  #shadows(call: Call, inputs: Inputs, attrs: unknown): TfTensor | TfTensor[] {
    const { outputs, list } = call;
    const first = this.sources.outs.length;
    this.made.push({ call, inputs, attrs, first, frame: null });
    for (let i = 0; i < outputs.length; i++) {
      const { shape, dtype, shares } = outputs[i] as Output;
      let dataId: object;
      if (shares < 0) {
        const data = this.#backend.placeless(dtype, sizeOf(shape));
        data.later = this.#later;
        dataId = data;
      } else {
        const x = Object.values(inputs)[shares] as TfTensor;
        this.#backend.at(x).refCount++;
        ({ dataId } = x);
      }
      this.sources.outs.push(this.#engine.makeTensorFromTensorInfo({ dataId, shape, dtype }));
    }
    return list ? this.sources.outs.slice(first) : (this.sources.outs[first] as TfTensor);
  }

  /** Adds a call to the path, which was made. @returns null where it cannot be described */
  #add(
    kind: Kind,
    name: string,
    inputs: Inputs,
    attrs: unknown,
    outs: readonly TfTensor[],
    list: boolean,
  ): Call | null {
    const sources = Object.entries(inputs).map(([key, x]) => (x ? this.sources.sourceOf(key, x) : null));
    const given = Object.values(inputs);
    if (![...outs, ...given].every((x) => !x || isNumber(x.dtype)) || sources.includes(undefined as never)) {
      this.stopped = 'it computes with text, complex numbers, or tensors of other backends';
      return null;
    }
    const outputs = outs.map(({ shape, dtype, dataId }) => ({
      shape: [...shape],
      dtype: dtype as Output['dtype'],
      shares: given.findIndex((x) => x?.dataId === dataId),
    }));
    const like = this.at.next.find(
      (call) =>
        call.kind === kind &&
        call.name === name &&
        sameAttrs(call.inputs, sources) &&
        sameAttrs([call.attrs, call.outputs], [attrs, outputs]),
    );
    const call = like ?? { kind, name, attrs: copyAttrs(attrs), inputs: sources as Source[], outputs, list, next: [] };
    if (!like) this.at.next.push(call);
    this.at = call;
    this.sources.outs.push(...outs);
    return call;
  }

  /** Makes all calls so far as tfjs does: from here on there is nothing to follow. */
  #makeUp(): void {
    if (!this.following) return;
    this.following = false;
    this.restore();
    const { state } = this.#engine;
    const depth = state.kernelDepth;
    state.kernelDepth = depth - this.#frames;
    state.activeTape = [];
    const revived = this.#revive();
    try {
      this.#aside(() => {
        for (const made of this.made) this.#make(made);
      });
    } finally {
      state.kernelDepth = depth;
      for (const data of revived) this.sources.dispose(data);
    }
  }

  /** What was disposed of is needed once more. */
  #revive(): Data[] {
    const all = new Set([...this.sources.data, ...this.sources.outs.map((x) => x.dataId)]);
    return [...all].filter((data): data is Data => this.#backend.revive(data));
  }

  #make({ call, inputs, attrs, first, frame }: Made): void {
    const { state } = this.#engine;
    switch (call.kind) {
      case 'kernel': {
        const outs = this.sources.outs.slice(first, first + call.outputs.length);
        this.#inPlaceOf(outs, () => this.#originals.runKernel(call.name, inputs, attrs));
        break;
      }
      case 'begin':
        state.kernelDepth++;
        break;
      case 'save':
        if (frame) frame.saved = this.#saved(frame, Object.values(inputs) as TfTensor[]);
        break;
      case 'end':
        state.kernelDepth--;
        if (frame) this.#tape(call.name, frame, Object.values(inputs) as TfTensor[]);
        break;
      case 'assign':
        this.#originals.assign(inputs.variable as TfVariable, inputs.value as TfTensor);
    }
  }

  #saved({ taped }: Frame, tensors: readonly TfTensor[]): TfTensor[] {
    return taped ? this.#aside(() => tensors.map((x) => this.#engine.keep(this.#engine.clone(x)))) : [];
  }

  /** Calls what asks the engine for kernels that are no calls of the function. */
  #aside<T>(fn: () => T): T {
    const { busy } = this;
    this.busy = true;
    try {
      return fn();
    } finally {
      this.busy = busy;
    }
  }

  #tape(name: string, { taped, inputs, backwardsFunc, saved }: Frame, outs: readonly TfTensor[]): void {
    if (taped) this.#engine.addTapeNode(name, inputs, outs, backwardsFunc, saved ?? []);
  }

  /** Calls a kernel so that its results are those tensors, which are there already. */
  #inPlaceOf(outs: readonly TfTensor[], run: () => void): void {
    const engine = this.#engine;
    const { makeTensorFromTensorInfo } = engine;
    let next = 0;
    engine.makeTensorFromTensorInfo = (info: Info, owner?: object) => {
      const out = outs[next++];
      if (!out) return makeTensorFromTensorInfo.call(engine, info, owner);
      this.#give(out, info);
      return out;
    };
    try {
      run();
    } finally {
      engine.makeTensorFromTensorInfo = makeTensorFromTensorInfo;
    }
  }

  /** Gives a shadow the numbers of a result. */
  #give({ dataId }: TfTensor, info: Info): void {
    const backend = this.#backend;
    const from = backend.at(info);
    const to = backend.at({ ...info, dataId });
    if (from === to) {
      to.refCount--;
      return;
    }
    to.takeFrom(from);
    backend.disposeData(from);
  }

  /** Gives variables back what they had before the run. */
  restore(): void {
    for (const { variable, before } of this.#assigned.splice(0)) {
      const { shape, dtype } = variable;
      const tensor = this.#engine.makeTensorFromTensorInfo({ dataId: before, shape, dtype });
      this.#originals.assign(variable, tensor);
      tensor.dispose();
    }
  }

  /** The results that live on, since they are kept; each data once. */
  kept(): number[] {
    const seen = new Set<object>();
    const kept: number[] = [];
    for (let i = 0; i < this.sources.outs.length; i++) {
      const out = this.sources.outs[i] as TfTensor;
      if (!out.kept || out.isDisposed || seen.has(out.dataId) || !this.isShadow(out)) continue;
      seen.add(out.dataId);
      kept.push(i);
    }
    return kept;
  }

  isShadow({ dataId }: TfTensor): boolean {
    return (dataId as Data).later === this.#later;
  }
}

function sizeOf(shape: readonly number[]): number {
  let n = 1;
  for (let i = 0; i < shape.length; i++) n *= shape[i] as number;
  return n;
}

// A step of TensorFlow.js as a program: how it is traced, and how it runs on the tensors of a batch.
import { runtime } from '../../engine/engine.ts';
import { touchesOf } from '../../kernels/command.ts';
import type { Block } from '../../memory/arena.ts';
import { RecordingError } from '../../memory/errors.ts';
import { type Place, Program } from '../../program/program.ts';
import { numelOf } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import { type Data, isNumber, type NumberDtype } from '../data.ts';
import type { Info, TfDtype } from '../engine.ts';
import { Recorder } from './recorder.ts';
import type { BatchFunction, TfEngine, TfModule, TfOptimizer, TfTensor, TfVariable } from './tensorflow.ts';
import { own, type Step, type Updates } from './updates.ts';

/** One accelerated copy of tfjs. */
export interface Context {
  readonly tf: TfModule;
  readonly engine: TfEngine;
  readonly updates: Updates;
}

/** A batch: tensors, and null where there are no sample weights. */
export type Batch = (TfTensor | null)[];

/** A tensor that each run makes. */
interface Result {
  readonly block: Block;
  readonly shape: readonly number[];
  readonly dtype: NumberDtype;
}

/** A variable that the program reads or writes where it lies at the time. */
interface Bound {
  variable: TfVariable;
  readonly block: Block;
  readonly written: boolean;
  /** Of an optimizer: its place among those that it keeps, which setWeights() makes anew. */
  readonly slot: number;
  place: Place | undefined;
}

/** Copies a whole tensor, which is contiguous. */
function copyAll({ kernels }: Backend, y: Data, x: Data): void {
  const call = { y, x, dims: [1, y.size, 1, 1] };
  if (y.dtype === 'bool') kernels.copy_8(call);
  else kernels.copy_32(call);
}

/** The variables whose data is on this backend, and those data, each its own. */
function residents({ engine }: Context, backend: Backend): [TfVariable, Data][] {
  return Object.values(engine.state.registeredVariables)
    .filter(({ dtype, dataId }) => isNumber(dtype) && backend.data.has(dataId))
    .map((variable) => [variable, own(engine, backend, variable)]);
}

/** What tfjs counts, which a trace must not change. */
const COUNTERS = ['numTensors', 'numBytes', 'numDataBuffers', 'numStringTensors'] as const;

/** A step that was traced: what it does, and with what. */
export class Traced {
  readonly recorder: Recorder;
  readonly inputs: (Block | null)[] = [];
  readonly results: Result[] = [];
  readonly optimizer: TfOptimizer | null;
  step: Step | null = null;
  variables: [TfVariable, Data, Block][] = [];
  readonly #context: Context;
  readonly #backend: Backend;

  /** Traces `fn` for data like `data`. Nothing has changed if it throws. */
  constructor(context: Context, backend: Backend, fn: BatchFunction, data: Batch, optimizer: TfOptimizer | null) {
    this.#context = context;
    this.#backend = backend;
    this.optimizer = optimizer;
    const { state } = context.engine;
    // What may find no memory comes first: the recorder has some of its own.
    const held = residents(context, backend);
    this.recorder = new Recorder(context.tf, backend);
    // The values from before the step last, whatever is assigned.
    for (const [, one] of held) one.refCount++;
    this.variables = held.map(([variable, one]) => [variable, one, one.block]);
    const counts = COUNTERS.map((name) => state[name]);
    const names = new Set(Object.keys(state.registeredVariables));
    const iterations = optimizer?.iterations;
    let done = false;
    try {
      this.recorder.record(() => this.#trace(fn, data));
      done = true;
    } finally {
      if (optimizer) optimizer.iterations_ = iterations as number;
      const late = Object.keys(state.registeredVariables).filter((name) => !names.has(name));
      for (const name of late) delete state.registeredVariables[name];
      this.#putBack();
      this.recorder.close((one) => state.tensorInfo.delete(one));
      COUNTERS.forEach((name, i) => {
        state[name] = counts[i] as number;
      });
      if (!done || late.length > 0) this.dispose();
    }
    if (this.recorder.disposed) throw new RecordingError('it makes variables');
  }

  #wrap(dataId: Data, { shape, dtype }: { readonly shape: readonly number[]; readonly dtype: TfDtype }): TfTensor {
    return this.#context.engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
  }

  #trace(fn: BatchFunction, data: Batch): void {
    const { tf, updates } = this.#context;
    const backend = this.#backend;
    tf.tidy(() => {
      const stands = data.map((x) => x && this.#wrap(backend.fresh(x.dtype, numelOf(x.shape)), x));
      for (const x of stands) this.inputs.push(x && backend.at(x).block);
      let outs: TfTensor[] = [];
      this.step = updates.trace(this.recorder.hyper, () => {
        outs = fn(stands);
      });
      const taken = new Set<Block | null>(this.inputs);
      for (const out of outs) this.results.push(this.#result(out, taken));
      this.#assign();
    });
  }

  /** What a run returns for `out`: a block of its own. */
  #result(out: Info, taken: Set<Block | null>): Result {
    const { shape } = out;
    const dtype = out.dtype as NumberDtype;
    let data = this.#backend.at(out);
    if (data.block.origin !== this.recorder || taken.has(data.block)) {
      const y = this.#backend.fresh(dtype, data.size);
      copyAll(this.#backend, y, data);
      data = y;
    }
    taken.add(data.block);
    return { block: data.block, shape, dtype };
  }

  /** What was assigned to variables goes where their values were. */
  #assign(): void {
    const backend = this.#backend;
    const blocks = new Set(this.variables.map(([, , block]) => block));
    const changed = this.variables.filter(([variable, data]) => backend.at(variable) !== data);
    const values = changed.map(([variable]) => {
      const value = backend.at(variable);
      if (!blocks.has(value.block)) return value;
      // That of another variable, which may be overwritten first.
      const copy = backend.fresh(value.dtype, value.size);
      copyAll(backend, copy, value);
      return copy;
    });
    changed.forEach(([, data], i) => {
      copyAll(backend, data, values[i] as Data);
    });
  }

  /** Gives variables the data back that they had. */
  #putBack(): void {
    const backend = this.#backend;
    // Blocks of the trace that variables let go of are its own still.
    backend.tracer = this.recorder;
    try {
      for (const [variable, data] of this.variables) {
        if (backend.at(variable) === data) data.refCount--;
        else {
          // The tensor takes the reference that the trace had.
          const before = this.#wrap(data, variable);
          variable.assign(before);
          before.dispose();
        }
      }
    } finally {
      backend.tracer = null;
    }
  }

  /** What another trace of the same step does differently first, or null. */
  differs(other: Traced): string | null {
    const layouts = [this, other].map(({ results }) =>
      results.map(({ shape, dtype }) => `${dtype} ${shape}`).join('; '),
    );
    if (layouts[0] !== layouts[1]) return 'other results';
    const blocks = (traced: Traced): Block[] => traced.results.map(({ block }) => block);
    return this.recorder.differs(other.recorder, blocks(this), blocks(other));
  }

  dispose(): void {
    this.recorder.dispose();
  }
}

/** A tensor that the step uses from outside, other than variables: it has to live on. */
interface Captured {
  readonly data: Data;
  readonly block: Block;
}

/** A state for a generator that nobody else has. */
const seed = (): number[] => [Math.random() * 2 ** 32, Math.random() * 2 ** 32, 0, 0];

export class Replay {
  readonly traced: Traced;
  readonly program: Program;
  readonly #context: Context;
  readonly #backend: Backend;
  readonly #inputs: readonly (Place | undefined)[];
  readonly #results: readonly (Place | undefined)[];
  readonly #bound: readonly Bound[];
  readonly #captured: readonly Captured[];
  readonly #slots: () => TfVariable[];

  /**
   * @param whole whether the batch is all that it reads, besides variables
   * @throws OutOfMemoryError; RecordingError where the step uses what is gone, or what is not of the batch
   */
  constructor(context: Context, backend: Backend, traced: Traced, whole = false) {
    this.#context = context;
    this.#backend = backend;
    this.traced = traced;
    const { recorder, optimizer, inputs, results } = traced;
    this.#slots = () => (optimizer ? context.updates.variablesOf(optimizer) : []);
    /** The blocks that are used, and whether they are written. */
    const used = new Map<Block, boolean>();
    for (const command of recorder.commands)
      for (const { ref, writes } of touchesOf(command)) used.set(ref.block, writes || (used.get(ref.block) ?? false));
    const slots = this.#slots();
    const bound: Bound[] = [];
    for (const [variable, , block] of traced.variables) {
      const written = used.get(block);
      used.delete(block);
      if (written !== undefined)
        bound.push({ variable, block, written, slot: slots.indexOf(variable), place: undefined });
    }
    this.#bound = bound;
    this.#captured = this.#findCaptured([...used.keys()]);
    if (whole && this.#captured.length > 0)
      throw new RecordingError('it has gradients of tensors that it does not use');
    const outside = new Set(bound.map(({ block }) => block));
    for (const block of inputs) if (block) outside.add(block);
    for (const { block } of results) outside.add(block);
    const inside = (block: Block): boolean => block.origin === recorder && !outside.has(block);
    const alive = (block: Block): boolean => !inside(block);
    const { commands } = recorder;
    const program = new Program(runtime(), { nodes: [], commands, constants: [], inside, outside, alive });
    this.program = program;
    for (const one of bound) one.place = program.placeOf(one.block);
    if (recorder.generator) runtime().arena.i32.set(seed(), recorder.generator.ptr >>> 2);
    this.#inputs = inputs.map((block) => (block ? program.placeOf(block) : undefined));
    this.#results = results.map(({ block }) => program.placeOf(block));
  }

  #findCaptured(blocks: readonly Block[]): Captured[] {
    const { recorder } = this.traced;
    const wanted = new Set(blocks.filter((block) => !recorder.owns(block)));
    const captured: Captured[] = [];
    this.#backend.forEach((data) => {
      const { place } = data;
      if (place && wanted.delete(place)) captured.push({ data, block: place });
    });
    if (wanted.size > 0)
      throw new RecordingError('it uses a tensor that it made in an earlier step, or disposes of one');
    return captured;
  }

  /** Whether what it uses from outside is as it was. */
  holds(): boolean {
    const { registeredVariables } = this.#context.engine.state;
    for (const { data, block } of this.#captured) if (data.place !== block) return false;
    const slots = this.#slots();
    for (const bound of this.#bound) {
      if (bound.slot >= 0) bound.variable = slots[bound.slot] ?? bound.variable;
      const { variable } = bound;
      if (registeredVariables[variable.name] !== variable) return false;
    }
    return true;
  }

  /** Runs it on a batch. @returns null where the batch is none that it can read */
  run(batch: Batch): TfTensor[] | null {
    const backend = this.#backend;
    const inputs: (Data | null)[] = [];
    for (let i = 0; i < batch.length; i++) {
      const x = batch[i];
      const data = x ? backend.at(x) : null;
      // A variable that the program may write, or numbers under another dtype: see isReadable() of row.ts.
      if (x && (data?.dtype !== x.dtype || 'assign' in x)) return null;
      inputs.push(data);
    }
    const made = this.compute(inputs);
    const { engine } = this.#context;
    return made.map((dataId, i) => {
      const { shape, dtype } = this.traced.results[i] as Result;
      return engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
    });
  }

  /** Runs it on the data of a batch. @throws OutOfMemoryError, RangeError for an index that there is not */
  compute(batch: readonly (Data | null)[]): Data[] {
    const backend = this.#backend;
    const { engine } = this.#context;
    const { program, traced } = this;
    for (let i = 0; i < batch.length; i++) {
      const data = batch[i];
      if (data) program.move(this.#inputs[i], data.block.ptr);
    }
    const bound = this.#bound;
    for (let i = 0; i < bound.length; i++) {
      const { variable, written, place } = bound[i] as Bound;
      const data = written ? own(engine, backend, variable) : backend.at(variable);
      program.move(place, data.block.ptr);
    }
    const made: Data[] = [];
    try {
      const { results } = traced;
      for (let i = 0; i < results.length; i++) {
        const { shape, dtype } = results[i] as Result;
        const data = backend.fresh(dtype, numelOf(shape));
        made.push(data);
        program.move(this.#results[i], data.block.ptr);
      }
      traced.step?.before();
      program.run(({ complain }) => complain?.());
    } catch (error) {
      for (const data of made) backend.disposeData(data);
      throw error;
    }
    traced.step?.after();
    return made;
  }

  dispose(): void {
    this.program.dispose();
    this.traced.dispose();
  }
}

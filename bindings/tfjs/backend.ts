// The KernelBackend of TensorFlow.js over the arena. Blocks are freed by the reference counts of tfjs alone: they have
// no scope, and no finaliser.
import { runtime } from '../engine/engine.ts';
import type { Kernels, Probes } from '../kernels/table.ts';
import type { Block } from '../memory/arena.ts';
import {
  arrays,
  bytesOf,
  countOf,
  Data,
  everySecond,
  type Held,
  interleave,
  isNumber,
  isView,
  type Later,
  type NumberDtype,
  type Tracer,
  withMemory,
} from './data.ts';
import type { CpuBackend, Engine, Info, Runs, TfBackend, TfDtype, Values } from './engine.ts';
import { keepKnown } from './known.ts';
import { Waiting } from './later.ts';

export class Backend implements TfBackend {
  /** All kernels, which a recorder may replace while it traces. */
  kernels: Kernels;
  probes: Probes;
  /** Rows of a block, as kernels of the cpu backend ask. */
  readonly blockSize = 48;
  /** What kernels of the cpu backend know a backend's data by. */
  readonly data = {
    get: (id: object): Data => this.of(id),
    has: (id: object): boolean => this.#find(id) !== null,
    set: (id: object, entry: { values: Held; dtype: TfDtype; refCount: number }): void => {
      this.move(id, entry.values as Values, [entry.values?.length ?? 0], entry.dtype, entry.refCount);
    },
    delete: (id: object): boolean => this.disposeData(id, true),
    numDataIds: (): number => this.#count,
  };
  /** How many kernels of the cpu backend run: they hold looks at memory, which then must not move nor be given out. */
  foreign = 0;
  tracer: Tracer | null = null;
  readonly #engine: Engine;
  /** Data whose ids another backend made. */
  #moved = new WeakMap<object, Data>();
  #count = 0;
  readonly #waiting = new Waiting();
  #first: Data | null = null;
  /** Data that the kernel which runs has made, results and then intermediates. */
  readonly #made: Data[] = [];
  readonly #temporary: Data[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    keepKnown(engine.state);
    const { kernels, probes } = runtime();
    this.kernels = kernels;
    this.probes = probes;
  }

  #find(id: object): Data | null {
    if (id instanceof Data && id.owner === this) return id;
    return this.#moved.get(id) ?? null;
  }

  /** The entry of an id. Data that another backend has moves here. */
  of(id: object): Data {
    if (id instanceof Data && id.owner === this) return id;
    let found = this.#moved.get(id);
    if (!found) {
      this.#engine.moveData(this, id);
      found = this.#moved.get(id);
    }
    if (!found) throw new Error('retrograd: expected a living tensor, got one that was disposed of');
    return found;
  }

  /** The operand of a tensor. */
  at({ dataId }: Info): Data {
    return dataId instanceof Data && dataId.owner === this ? dataId : this.of(dataId);
  }

  #add(data: Data): Data {
    this.tracer?.note(data);
    this.#count++;
    data.after = this.#first;
    if (this.#first) this.#first.before = data;
    this.#first = data;
    return data;
  }

  #remove(data: Data): void {
    if (data.later) this.#waiting.end(data, data.later, this.#release);
    const { before, after } = data;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    data.before = null;
    data.after = null;
    this.#count--;
    data.owner = null;
    data.held = null;
    if (data.peaks) this.letGo(data.peaks.index);
    data.peaks = null;
    this.#release(data);
  }

  /** Gives memory back that nobody has any more, and that nothing waits to read. */
  readonly #release = (data: Data): void => {
    if (!data.owner && data.readers === 0) this.#free(data);
  };

  /** Data of its own, its contents undefined; in `place`, where that is given. @throws OutOfMemoryError */
  fresh(dtype: TfDtype, size: number, place?: Block): Data {
    const block = place ?? runtime().arena.bare(size * bytesOf(dtype), 'TensorFlow.js');
    return this.#add(new Data(this, dtype, size, block));
  }

  /** Data whose place is yet to be given. */
  placeless(dtype: NumberDtype, size: number): Data {
    return this.#add(new Data(this, dtype, size, null));
  }

  /** A result of the kernel that runs, its contents undefined. @throws ShapeError, OutOfMemoryError */
  make(shape: readonly number[], dtype: NumberDtype): Info & { readonly dataId: Data } {
    const dataId = this.fresh(dtype, countOf(shape));
    this.#made.push(dataId);
    return { dataId, shape, dtype };
  }

  /** An intermediate of the kernel that runs. @throws OutOfMemoryError */
  temporary(size: number, dtype: NumberDtype): Data {
    const data = this.fresh(dtype, size);
    this.#temporary.push(data);
    return data;
  }

  /** Whether gradients of what runs may be asked for. */
  get differentiates(): boolean {
    return this.#engine.state.gradientDepth > 0;
  }

  /** The same data under another shape. */
  share(x: Info, shape: readonly number[]): Info {
    this.at(x).refCount++;
    return { dataId: x.dataId, shape, dtype: x.dtype };
  }

  /** Complex numbers of two results of the kernel that runs, or of others that share their data. */
  complex(real: Info, imag: Info): Info {
    const dataId = this.#add(new Data(this, 'complex64', 0, null));
    dataId.complexTensorInfos = { real, imag };
    this.#made.push(dataId);
    return { dataId, shape: real.shape, dtype: 'complex64' };
  }

  /** Calls `make`, and lets go of all that was made in it as a result but for what it returns. */
  keepingOnly<T extends Info | Info[]>(make: () => T): T {
    const from = this.#made.length;
    const result = make();
    const kept = [result].flat().map(({ dataId }) => dataId);
    for (const data of this.#made.splice(from))
      if (kept.includes(data)) this.#made.push(data);
      else this.#temporary.push(data);
    return result;
  }

  /** Calls a kernel: intermediates go after it, and results where it fails. */
  run(row: Runs, inputs: object, attrs: unknown): Info | Info[] {
    const made = this.#made.length;
    const temporary = this.#temporary.length;
    let done = false;
    try {
      const result = row.run(this, inputs, attrs);
      done = true;
      return result;
    } finally {
      this.#drop(this.#temporary, temporary, true);
      this.#drop(this.#made, made, !done);
    }
  }

  /**
   * A result of the kernel that runs, floats, for the next kernel. While tfjs takes the time of each, nothing waits.
   */
  delay(shape: readonly number[], later: Later): Info {
    const dataId = this.placeless('float32', countOf(shape));
    this.#made.push(dataId);
    this.delayMade(dataId, later);
    return { dataId, shape, dtype: 'float32' };
  }

  /** Likewise, for a result that was made: its memory goes back. */
  delayMade(data: Data, later: Later): void {
    this.#free(data);
    this.#waiting.add(data, later);
    if (this.#engine.state.profiling) this.settle(data);
  }

  #free(data: Data): void {
    const { place } = data;
    data.place = null;
    if (place && this.tracer) this.tracer.take(place);
    else place?.free();
  }

  /** Computes it, if it waits. @throws OutOfMemoryError, and it waits on */
  settle(data: Data): void {
    const { later } = data;
    if (!later) return;
    if (later.settle) {
      later.settle();
      if (!data.place) throw new Error('retrograd: expected a tensor with values, got one of a step that failed');
      return;
    }
    const place = runtime().arena.bare(data.size * bytesOf(data.dtype), 'TensorFlow.js');
    data.place = place;
    data.later = null;
    try {
      this.run({ run: () => later.compute(data) ?? [] }, later, later);
    } catch (error) {
      data.place = null;
      data.later = later;
      place.free();
      throw error;
    }
    this.#waiting.end(data, later, this.#release);
  }

  /** Computes all that waits, or all that is going to read `input`. */
  settleAll(input?: Data): void {
    for (const data of this.#waiting.all(input)) this.settle(data);
  }

  /** Has data again that is gone, whose memory something reads still. @returns whether it was gone */
  revive(data: object): boolean {
    if (!(data instanceof Data) || data.owner) return false;
    data.owner = this;
    data.refCount = 1;
    this.#add(data);
    return true;
  }

  /** Nothing reads data any more that was held by its count of readers. */
  letGo(data: Data): void {
    data.readers--;
    this.#release(data);
  }

  #drop(list: Data[], from: number, dispose: boolean): void {
    while (list.length > from) {
      const data = list.pop() as Data;
      if (dispose && data.owner === this) this.#remove(data);
    }
  }

  /** Forgets data, and leaves its block alone: a program has that. */
  drop(data: Data): void {
    data.place = null;
    this.#remove(data);
  }

  /** Calls `visit` with all living data. */
  forEach(visit: (data: Data) => void): void {
    for (let data = this.#first; data; data = data.after) visit(data);
  }

  write(values: Values, shape: readonly number[], dtype: TfDtype): Data {
    return this.tracer?.write(values, shape, dtype) ?? this.#write(values, shape, dtype);
  }

  #write(values: Held, shape: readonly number[], dtype: TfDtype): Data {
    const view = isView(values);
    if (dtype === 'complex64' && values) return this.#writeComplex(values as ArrayLike<number>, shape);
    if (isNumber(dtype) && values && this.foreign === 0) {
      const kept = view ? (values as Float32Array).slice() : values;
      const data = this.fresh(dtype, kept.length);
      data.fill(kept);
      return data;
    }
    const data = this.#add(new Data(this, dtype, 0, null));
    data.values = values;
    return data;
  }

  /** Complex numbers as real and imaginary parts by turns. */
  #writeComplex(values: ArrayLike<number>, shape: readonly number[]): Data {
    const write = (first: 0 | 1): Data => this.#write(everySecond(values, first), shape, 'float32');
    const part = (dataId: Data) => ({ dataId, shape, dtype: 'float32' }) as const;
    const real = part(write(0));
    try {
      const imag = part(write(1));
      const data = this.#add(new Data(this, 'complex64', 0, null));
      data.complexTensorInfos = { real, imag };
      return data;
    } catch (error) {
      this.#remove(real.dataId);
      throw error;
    }
  }

  move(id: object, values: Values, shape: readonly number[], dtype: TfDtype, refCount: number): void {
    const data = withMemory(() => this.#write(values, shape, dtype));
    data.refCount = refCount;
    this.#moved.set(id, data);
  }

  readSync(id: object): ArrayLike<unknown> {
    this.tracer?.refuse('reads the values of a tensor');
    const data = this.of(id);
    this.settle(data);
    const { dtype, place, held, complexTensorInfos } = data;
    if (complexTensorInfos) {
      const [real, imag] = [complexTensorInfos.real, complexTensorInfos.imag].map((part) =>
        this.readSync(part.dataId),
      ) as [ArrayLike<number>, ArrayLike<number>];
      return interleave(real, imag);
    }
    if (place) return new arrays[dtype as NumberDtype](data.look());
    if (isNumber(dtype)) return new arrays[dtype]((held ?? []) as ArrayLike<number>);
    return held ?? [];
  }

  async read(id: object): Promise<ArrayLike<unknown>> {
    return this.readSync(id);
  }

  /** Lets go of one reference, or of all by `force`. @returns whether the data is gone */
  disposeData(id: object, force = false): boolean {
    const data = this.#find(id);
    if (!data) return true;
    data.refCount--;
    if (!force && data.refCount > 0) return false;
    if (data.complexTensorInfos) {
      this.disposeData(data.complexTensorInfos.real.dataId);
      this.disposeData(data.complexTensorInfos.imag.dataId);
    }
    this.#remove(data);
    this.#moved.delete(id);
    return true;
  }

  readonly disposeIntermediateTensorInfo = ({ dataId }: Info): void => void this.disposeData(dataId);

  incRef(id: object): void {
    this.of(id).refCount++;
  }

  decRef(id: object): void {
    const data = this.#find(id);
    if (data) data.refCount--;
  }

  refCount(id: object): number {
    return this.#find(id)?.refCount ?? 0;
  }

  numDataIds(): number {
    return this.#count;
  }

  readonly memory = (): { unreliable: boolean } => ({ unreliable: false });
  readonly timerAvailable = (): boolean => true;

  async time(f: () => void): Promise<{ kernelMs: number }> {
    runtime().arena.underWay?.wait();
    const start = performance.now();
    f();
    runtime().arena.underWay?.wait();
    return { kernelMs: performance.now() - start };
  }

  readonly floatPrecision = (): 16 | 32 => 32;
  readonly epsilon = (): number => 1e-7;
  /** Frees all: tfjs drops a backend without disposing of its data. */
  dispose(): void {
    while (this.#first) this.#remove(this.#first);
    this.#moved = new WeakMap();
  }

  /** For kernels of the cpu backend: data of its own for values, text encoded. */
  makeTensorInfo(shape: readonly number[], dtype: TfDtype, values?: Held): Info {
    const isText = dtype === 'string' && values && typeof values[0] === 'string';
    const kept = isText ? Array.from(values as ArrayLike<string>, (text) => new TextEncoder().encode(text)) : values;
    return { dataId: this.#write(kept, shape, dtype), shape, dtype };
  }

  get #cpu(): CpuBackend {
    return this.#engine.findBackend('cpu') as CpuBackend;
  }

  /** For kernels of the cpu backend: a TensorBuffer. */
  bufferSync(info: Info): unknown {
    return this.#cpu.bufferSync.call(this, info);
  }

  /** For kernels of the cpu backend: a tensor. */
  makeOutput(values: Values, shape: readonly number[], dtype: TfDtype): unknown {
    return this.#cpu.makeOutput.call(this, values, shape, dtype);
  }
}

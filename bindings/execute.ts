// Runs a row of the op table: checks every operand once, makes the results, calls the kernels. It knows no tape. While
// compile() traces, a tracer stands in its slot: then the call becomes a node of a graph, and nothing is computed.
import { type Dtype, dtypes, type TypedArray } from './dtypes.ts';
import { runtime } from './engine/engine.ts';
import { heirOf, type Owner, type Scope } from './memory/arena.ts';
import { ArgumentError, DtypeError, formatShape, outside, ShapeError, typeName } from './memory/errors.ts';
import type { AnyRules, Bag, Input, OpName, Row, Slot, Tensor as TensorType } from './ops/core.ts';
import { coreRows } from './ops/rows.ts';
import { sameShape } from './sizes.ts';
import { host, Tensor } from './tensor.ts';

/** The results of a row by name. */
export type Made = Readonly<Record<string, TensorType>>;

/** What takes the calls while compile() traces. */
export interface Tracer extends Owner {
  /** A row was called, with operands that were checked. */
  node(op: OpName, row: Row, inputs: Bag, outputs: Made, attrs: unknown): void;
  /** A host row was called, which reads or writes numbers from JavaScript. */
  host(op: OpName, inputs: Bag, attrs: unknown): void;
  /** Something that has to hold for the trace to be of use again. */
  guard(holds: () => boolean): void;
  /**
   * The trace depends on the fields of an object, such as a module, and on what lists and plain objects in them hold.
   * @param fields only on these, and which items they hold where they are lists, but on nothing within those
   */
  dependOn(object: object, fields?: readonly string[]): void;
  /** What is done before each run, such as writing a learning rate where kernels read it. */
  beforeRun(hook: () => void): void;
  /** @throws RecordingError always: what was asked for cannot be a part of a program */
  refuse(what: string, cure: string): never;
}

let tracer: Tracer | null = null;

/** Calls `fn` with `next` in the tracer's slot; null: all is computed at once, also inside of a trace. */
export function withTracer<T>(next: Tracer | null, fn: () => T): T {
  const before = tracer;
  const { arena } = runtime();
  tracer = next;
  arena.stand = next;
  try {
    return fn();
  } finally {
    tracer = before;
    arena.stand = before;
  }
}

/** What traces now. */
export const tracing = (): Tracer | null => tracer;

/** Calls `fn` so that all is computed at once, also while compile() traces: it is no part of the program. */
export const aside = <T>(fn: () => T): T => (tracer ? withTracer(null, fn) : fn());

/** The modules whose forward is running, the innermost first. */
export interface ModuleLink {
  readonly module: object;
  readonly parent: ModuleLink | null;
}
let moduleLink: ModuleLink | null = null;
export const moduleNow = (): ModuleLink | null => moduleLink;

/** Whether anybody wants to know which module runs. */
export const wantsModules = (): boolean => tracer !== null || watch !== null;

/** Calls `fn` with the modules of `link`: those of a forward pass, while the backward pass goes through it. */
export function withModules<T>(link: ModuleLink | null, fn: () => T): T {
  const before = moduleLink;
  moduleLink = link;
  try {
    return fn();
  } finally {
    moduleLink = before;
  }
}

/** Calls `forward` as that of `module`. */
export const insideModule = <T>(module: object, forward: () => T): T => {
  tracer?.dependOn(module);
  return withModules({ module, parent: moduleLink }, forward);
};

/** Watches calls that are computed, which it has to run; see profile(). */
export type Watch = (op: string, module: ModuleLink | null, run: () => void, call: Call) => void;
/** What a call of a row works on. */
export interface Call {
  readonly outputs: Made;
  readonly inputs: Bag;
  readonly attrs: unknown;
}
let watch: Watch | null = null;
export function setWatch(next: Watch | null): void {
  watch = next;
}
export const watching = (): Watch | null => watch;

/** What errors call an op. */
export const titleOf = (op: OpName, { title }: AnyRules, inputs: Bag, attrs: unknown): string =>
  title?.(inputs, attrs) ?? op;

function checkTensor(op: string, spec: Input & { readonly name: string }, x: unknown): asserts x is Tensor {
  if (!(x instanceof Tensor)) throw new ArgumentError(`${op}: expected a tensor as ${spec.name}, got ${typeName(x)}`);
  x.checkAlive();
  x.expectDense(op);
  if (x.dtype !== spec.dtypes[0] && !spec.dtypes.includes(x.dtype))
    throw new DtypeError(
      `${op}: expected dtype ${spec.dtypes.join(' or ')}, got ${x.dtype}; convert with .to('${spec.dtypes[0]}')`,
    );
  const { sizes: shape, steps: strides } = x;
  let first = x.offset;
  let last = first;
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d] as number;
    if (size === 0) return;
    const reach = (size - 1) * (strides[d] as number);
    if (reach < 0) first += reach;
    else last += reach;
  }
  if (!(first >= 0 && (last + 1) * dtypes[x.dtype].bytes <= x.block.bytes))
    throw new ShapeError(
      `${op}: expected ${spec.name} inside its memory, got shape ${formatShape(shape)} with strides ${formatShape(strides)}; shapes cannot be changed in place, use reshape()`,
    );
}

/** Writes go where the caller's tensor is, so it has to be laid out as the kernel writes it. */
function checkWritten(op: string, { name, strided }: Input & { readonly name: string }, x: Tensor): void {
  if (!strided && !x.isContiguous())
    throw new ArgumentError(
      `${op}: expected a contiguous tensor to write as ${name}, got shape ${formatShape(x.sizes)} with strides ${formatShape(x.steps)}; write to a contiguous() copy`,
    );
  if (x.size > 0 && isExpanded(x))
    throw new ArgumentError(
      `${op}: expected a tensor to write as ${name} whose elements have places of their own, got an expanded one of shape ${formatShape(x.sizes)}; use contiguous()`,
    );
}

/** Whether several of its elements are in one place. */
export function isExpanded({ sizes, steps }: Tensor): boolean {
  for (let d = 0; d < sizes.length; d++) if ((sizes[d] as number) > 1 && steps[d] === 0) return true;
  return false;
}

/** Checks one input. @returns it, or a contiguous copy where the row needs one */
function prepareOne(op: string, spec: Input & { readonly name: string }, x: unknown): Tensor {
  checkTensor(op, spec, x);
  if (spec.writes) checkWritten(op, spec, x);
  else if (!spec.strided && !x.isContiguous()) return contiguous(x);
  return x;
}

const contiguous = (x: Tensor): Tensor => execute('contiguous', { x }, undefined).y as Tensor;

/** Whether an operand of the last call of prepare() requires a gradient. */
let sawGrad = false;
export const lastWantsGrad = (): boolean => sawGrad;
/** The turn of a loop that those operands descend from. */
let heir: Scope | null = null;

function prepareMany(op: OpName, spec: Row['inputs'][number], xs: unknown): Slot {
  if (!Array.isArray(xs))
    throw new ArgumentError(`${op}: expected a list of tensors as ${spec.name}, got ${typeof xs}`);
  let changed = false;
  const got = xs.map((x) => {
    const ready = prepareOne(op, spec, x);
    changed ||= ready !== x;
    heir = heirOf(heir, ready.block);
    return ready;
  });
  sawGrad ||= got.some(({ requiresGrad }) => requiresGrad);
  return changed ? got : xs;
}

/** Counts the calls of rows that write: blocks know the last one that they were in, and so whether twice. */
let writing = 0;

/** Checks the operands of a row. @returns them, contiguous where the row needs it */
export function prepare(op: OpName, row: Row, inputs: Bag, attrs: unknown): Bag {
  let ready: Record<string, Slot> | null = null;
  const specs = row.inputs;
  const { title } = row.rules;
  let grad = false;
  let turn: Scope | null = null;
  let shared = false;
  if (row.writes) writing++;
  try {
    for (let i = 0; i < specs.length; i++) {
      const spec = specs[i] as Row['inputs'][number];
      const x = inputs[spec.name];
      if (x === null && spec.optional) continue;
      let got: Slot;
      if (spec.many) {
        sawGrad = false;
        heir = turn;
        got = prepareMany(op, spec, x);
        grad ||= sawGrad;
        turn = heir;
      } else {
        got = prepareOne(title && x instanceof Tensor ? titleOf(op, row.rules, inputs, attrs) : op, spec, x);
        grad ||= (x as Tensor).requiresGrad;
        turn = heirOf(turn, (x as Tensor).block);
        if (row.writes) {
          shared ||= got.block.lastWrite === writing;
          got.block.lastWrite = writing;
        }
      }
      if (got === x) continue;
      ready ??= { ...inputs };
      ready[spec.name] = got;
    }
    if (shared) ready = keepApart(op, row, inputs, ready);
  } catch (error) {
    if (ready) releaseCopies(row, inputs, ready);
    throw error;
  }
  sawGrad = grad;
  heir = turn;
  return ready ?? inputs;
}

/** The first and the last byte of the elements of x, from the start of its block. */
function extentOf(x: Tensor): [first: number, last: number] {
  const { bytes } = dtypes[x.dtype];
  let [first, last] = [x.offset, x.offset];
  x.sizes.forEach((size, d) => {
    const reach = (size - 1) * (x.steps[d] as number);
    if (reach < 0) first += reach;
    else last += reach;
  });
  return [first * bytes, (last + 1) * bytes - 1];
}

/** Whether the elements of x and y may share memory. */
export function overlap(x: Tensor, y: Tensor): boolean {
  if (x.block !== y.block || x.size === 0 || y.size === 0) return false;
  const [a, b] = [extentOf(x), extentOf(y)];
  return a[0] <= b[1] && b[0] <= a[1];
}

/**
 * What a row writes must not be what it has yet to read: where another input shares memory with it, the row reads a
 * copy. Element by element at the same place, it may be both. @throws ArgumentError where two inputs that are written
 * share memory
 */
function keepApart(op: OpName, row: Row, inputs: Bag, ready: Record<string, Slot> | null): Record<string, Slot> | null {
  let result = ready;
  for (const { name, writes } of row.inputs) {
    const y = writes && (result ?? inputs)[name];
    if (!(y instanceof Tensor)) continue;
    for (const other of row.inputs) {
      const x = (result ?? inputs)[other.name];
      if (other.name === name || !(x instanceof Tensor) || !overlap(x, y)) continue;
      if (other.writes)
        throw new ArgumentError(
          `${op}: expected ${name} and ${other.name} to have memory of their own, got two that share it; clone() one`,
        );
      if (x.dtype === y.dtype && x.offset === y.offset && sameShape(x.sizes, y.sizes) && sameShape(x.steps, y.steps))
        continue;
      result ??= { ...inputs };
      result[other.name] = contiguous(x);
    }
  }
  return result;
}

let maker = '';
/** What the row that runs has made, to be given back where it fails. */
const made: Tensor[] = [];
let madeCount = 0;
const make = (shape: readonly number[], dtype: Dtype): Tensor => {
  const x = Tensor.allocate(shape, dtype, maker, heir);
  made[madeCount++] = x;
  return x;
};

/** Makes the results of a row whose operands were prepared, and computes them. All or nothing. */
export function compute(op: OpName, row: Row, inputs: Bag, attrs: unknown): Made {
  const { rules } = row;
  const title = rules.title ? titleOf(op, rules, inputs, attrs) : op;
  if (rules.view) return look(op, row, inputs, attrs);
  if (rules.host) {
    if (tracer) tracer.host(op, inputs, attrs);
    else rules.host(memoryOf, inputs, attrs);
    return {};
  }
  maker = op;
  madeCount = 0;
  try {
    const outputs = (rules.outputs as NonNullable<AnyRules['outputs']>)(make, inputs, attrs, title);
    if (tracer) tracer.node(op, row, inputs, outputs, attrs);
    else if (watch) runWatched(watch, op, rules, outputs, inputs, attrs, title);
    else run(rules, outputs, inputs, attrs, title);
    return outputs;
  } catch (error) {
    for (let i = 0; i < madeCount; i++) (made[i] as Tensor).dispose();
    throw error;
  }
}

function run(rules: AnyRules, outputs: Made, inputs: Bag, attrs: unknown, title: string): void {
  const { kernels, probes } = runtime();
  rules.check?.(probes, inputs, attrs, title);
  (rules.forward as NonNullable<AnyRules['forward']>)(kernels, outputs, inputs, attrs);
}

/** On its own, since what a closure holds is made at every call of the function around it. */
function runWatched(
  watched: Watch,
  op: OpName,
  rules: AnyRules,
  outputs: Made,
  inputs: Bag,
  attrs: unknown,
  title: string,
): void {
  const whole = (): void => {
    run(rules, outputs, inputs, attrs, title);
    runtime().arena.underWay?.wait(); // what is under way is a part of its time, and of what is looked at then
  };
  watched(op, moduleLink, whole, { outputs, inputs, attrs });
}

function look(op: OpName, row: Row, inputs: Bag, attrs: unknown): Made {
  const { shape, strides, offset } = (row.rules.view as NonNullable<AnyRules['view']>)(inputs, attrs);
  const y = (inputs.x as Tensor).alias(shape, strides, offset);
  const outputs = { y };
  tracer?.node(op, row, inputs, outputs, attrs);
  return outputs;
}

/** Runs a row of the core: all its results, auxiliary ones included. Copies that it needed are gone after it. */
export function execute(op: keyof typeof coreRows, inputs: Bag, attrs: unknown): Made {
  const row: Row = coreRows[op];
  const ready = prepare(op, row, inputs, attrs);
  let fresh = ready !== inputs;
  try {
    const results = compute(op, row, ready, attrs);
    if (row.rules.view) fresh = false;
    return results;
  } finally {
    if (fresh) releaseCopies(row, inputs, ready);
  }
}

/** Frees the contiguous copies that prepare() made. */
export function releaseCopies(row: Row, inputs: Bag, ready: Bag): void {
  for (const { name } of row.inputs) {
    const [given, got] = [inputs[name], ready[name]];
    if (given === got) continue;
    if (got instanceof Tensor) got.dispose();
    else if (Array.isArray(got))
      for (const [i, x] of got.entries()) if (x !== (given as readonly Tensor[])[i]) x.dispose();
  }
}

/** A tensor's part of the memory, from its first element on. For host rows only; valid until memory grows. */
function memoryOf(x: Tensor): TypedArray {
  const { arena } = runtime();
  const { bytes } = dtypes[x.dtype];
  const memory = arena[x.dtype] as TypedArray;
  const from = (x.block.ptr + x.byteOffset) / bytes;
  let last = 0;
  for (let d = 0; d < x.ndim; d++) last += ((x.sizes[d] as number) - 1) * (x.steps[d] as number);
  return memory.subarray(from, from + (x.size === 0 ? 0 : last + 1));
}

host.download = (x, reader) => {
  // Not a part of the arena: its memory may be shared, and grows.
  const { array, bytes } = dtypes[x.dtype];
  const into = outside(bytes * x.size, () => new array(x.size));
  execute('download', { x }, { into, reader });
  return into;
};

/** Overwrites the numbers of a tensor, given in row-major order. */
export function upload(y: Tensor, values: ArrayLike<number>): void {
  execute('upload', { y }, { values });
}

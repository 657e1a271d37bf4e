// Tensors of TensorFlow.js as tensors of ours, and back, over one memory.
import { type Dtype, dtypes, type TypedArray } from '../dtypes.ts';
import { runtime } from '../engine/engine.ts';
import { ArgumentError, BackendError, DtypeError, FreedError, formatShape, RecordingError } from '../memory/errors.ts';
import { callable } from '../signature.ts';
import { contiguousStrides, numelOf } from '../sizes.ts';
import { host, Tensor, unread } from '../tensor.ts';
import { Backend } from './backend.ts';
import { Data, isNumber, type NumberDtype } from './data.ts';
import { tensorKind } from './declare.ts';
import { type Engine, engineNow, NAME } from './engine.ts';
import { cast, copy } from './kernels/layout.ts';
import { Shared, sharedOf } from './shared.ts';

/** A tensor of TensorFlow.js, as far as this package knows it. */
export interface TensorFlowTensor {
  /** What holds its numbers. */
  readonly dataId: object;
  /** Sizes, outermost first. */
  readonly shape: number[];
  /** The element type. */
  readonly dtype: string;
  /** Whether its memory was given back. */
  readonly isDisposed: boolean;
}

/** What becomes of which dtype. */
const ours: Readonly<Record<NumberDtype, Dtype>> = { float32: 'f32', int32: 'i32', bool: 'u8' };
const theirs: Readonly<Record<Dtype, NumberDtype>> = { f32: 'float32', i32: 'int32', u8: 'bool' };

/** @throws BackendError where tfjs, or the backend, is not there; RecordingError while compile() traces */
function ready(op: string): { engine: Engine; backend: Backend } {
  const engine = engineNow();
  const backend = engine?.findBackend(NAME);
  if (!engine || !(backend instanceof Backend))
    throw new BackendError(
      `${op}: expected the backend '${NAME}' to run, got none; await tf.setBackend('${NAME}') first`,
    );
  if (runtime().arena.stand)
    throw new RecordingError(
      `${op}: expected to be called outside of a compiled function, got a call inside; pass the tensor as an argument`,
    );
  return { engine, backend };
}

/** Hands a block that belongs to nobody to the innermost scope, or to the net that catches what nobody disposes of. */
function adopt(block: Data['block']): void {
  const { arena } = runtime();
  const scope = arena.open();
  arena.adopt(block, scope);
  arena.lift(block, scope);
  arena.close(scope);
}

/**
 * A tensor of TensorFlow.js as one of ours, without a copy: float32 as f32, int32 as i32, bool as u8. Both sides hold
 * the memory, and each lets go of it for itself: dispose of the one, and the other lives on. Whichever is written in
 * place first has a copy from then on, so that neither sees the other's writes. It belongs to the scope around the
 * call, as the result of an op does. Two calls for one tensor give two views of one memory.
 * @param t on the backend `'retrograd'`
 * @throws ArgumentError unless it is a tensor on that backend; FreedError where it was disposed of; DtypeError for
 * complex64 and string; BackendError where the backend does not run
 */
export const fromTensorFlow: (t: TensorFlowTensor) => Tensor = callable<(t: TensorFlowTensor) => Tensor>(
  'fromTensorFlow(t: TensorFlowTensor)',
  from,
  tensorKind,
);

/** Reads a tensor in a program that has no ops, and so none with strides. */
function read(x: Tensor): TypedArray {
  x.checkAlive();
  const { block, byteOffset, dtype, size } = x;
  const from = (block.ptr + byteOffset) / dtypes[dtype].bytes;
  return runtime().arena[dtype].slice(from, from + size);
}

function from({ dataId, shape, dtype, isDisposed }: TensorFlowTensor): Tensor {
  const op = 'fromTensorFlow';
  const { backend } = ready(op);
  if (host.download === unread) host.download = read;
  if (isDisposed) throw new FreedError(`${op}: expected a living tensor, got one that was disposed of; tf.keep() it`);
  if (dtype === 'complex64' || !isNumber(dtype as NumberDtype))
    throw new DtypeError(
      `${op}: expected float32, int32 or bool, got ${dtype}; convert it with tf.cast, or take tf.real and tf.imag`,
    );
  if (!backend.data.has(dataId))
    throw new ArgumentError(
      `${op}: expected a tensor on the backend '${NAME}', got one on another; under tf.setBackend('${NAME}') make it anew by tf.tensor(t.dataSync(), t.shape, t.dtype)`,
    );
  const data = backend.of(dataId);
  const sizes = [...shape];
  if (data.size !== numelOf(sizes))
    throw new ArgumentError(
      `${op}: expected ${data.size} elements, got shape ${formatShape(sizes)}; shapes cannot be changed in place, use tf.reshape`,
    );
  const from = data.dtype as NumberDtype;
  const to = dtype as NumberDtype;
  if (from !== to) {
    // A kernel of the cpu backend may give integers as floats.
    const x = Tensor.allocate(sizes, ours[to], op);
    const y = new Data(backend, to, x.size, x.block);
    const convert = (): [] => {
      cast(backend, from, to, y, data, x.size);
      return [];
    };
    backend.run({ run: convert }, {}, null);
    return x;
  }
  let block = sharedOf(data)?.block;
  if (!block) {
    ({ block } = data);
    adopt(block);
    new Shared(block, data);
  }
  return new Tensor(block, ours[to], sizes);
}

/** @throws DtypeError unless the elements of x are 0 and 1 */
function checkMask(op: string, backend: Backend, x: Data): void {
  let most = 0;
  const find = (): [] => {
    const { kernels } = backend;
    const floats = backend.temporary(x.size, 'float32');
    const max = backend.temporary(1, 'float32');
    kernels.cast_u8_f32({ y: floats, x, n: x.size });
    kernels.max_f32({ y: max, x: floats, outer: 1, r: x.size, inner: 1, stride: 1 });
    most = max.look()[0] as number;
    return [];
  };
  if (x.size > 0) backend.run({ run: find }, {}, null);
  if (most > 1)
    throw new DtypeError(`${op}: expected u8 of 0 and 1, which become bool, got ${most}; convert with .to('i32')`);
}

/**
 * A tensor of ours as one of TensorFlow.js on the backend `'retrograd'`, without a copy where it lies row-major from
 * the start of its memory: f32 as float32, i32 as int32, u8 of zeros and ones as bool. Views that are strided, or begin
 * further behind, are copied. Both sides hold the memory, as {@link fromTensorFlow} has it; that of TensorFlow.js is
 * disposed of, or tidied up, as all tensors there. No gradient flows through it.
 * @throws ArgumentError unless x is a tensor; FreedError; DtypeError for u8 of other numbers; BackendError where the
 * backend does not run
 */
export const toTensorFlow: <T extends TensorFlowTensor = TensorFlowTensor>(x: Tensor) => T = callable<
  <T extends TensorFlowTensor = TensorFlowTensor>(x: Tensor) => T
>('toTensorFlow(x: Tensor)', to);

function to<T extends TensorFlowTensor>(x: Tensor): T {
  const op = 'toTensorFlow';
  const { engine, backend } = ready(op);
  x.checkAlive();
  x.expectDense(op);
  const { size, sizes, steps } = x;
  const dtype = theirs[x.dtype];
  const whole = x.isContiguous() && x.byteOffset === 0;
  const known = whole ? sharedOf(x.block)?.data : undefined;
  if (known?.dtype === dtype && known.size === size)
    return engine.makeTensorFromTensorInfo(
      backend.share({ dataId: known, shape: x.shape, dtype }, x.shape),
      backend,
    ) as T;
  const data = whole ? backend.placeless(dtype, size) : backend.fresh(dtype, size);
  try {
    if (whole) new Shared(x.block, data);
    else copy(backend.kernels, dtype, data, x, sizes, contiguousStrides(sizes), steps);
    if (dtype === 'bool') checkMask(op, backend, data);
  } catch (error) {
    backend.disposeData(data, true);
    throw error;
  }
  return engine.makeTensorFromTensorInfo({ dataId: data, shape: x.shape, dtype }, backend) as T;
}

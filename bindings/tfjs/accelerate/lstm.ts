// LSTM layers while a step is traced: a pass over all elements of the sequences, by the kernels of nn.LSTM, in the
// place of a dozen kernels for each element. Gates stand in the same order on both sides.
import { rnnKernels } from '../../generated/kernel-calls.ts';
import { addKernels } from '../../kernels/table.ts';
import { panelShape } from '../../ops/rnn-kernels.ts';
import { reverseLSTM, runLSTM } from '../../ops/rnn-passes.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Tensor } from '../../tensor.ts';
import { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import { part } from '../kernels/layout.ts';
import type { TfEngine, TfLayer, TfModule, TfTensor } from './tensorflow.ts';
import { patch, type Restore } from './updates.ts';

interface Named {
  getClassName(): string;
}

/** An LSTM layer, as tfjs has it. */
interface Layer extends TfLayer {
  readonly goBackwards: boolean;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly cell: Named &
    Readonly<Record<'activation' | 'recurrentActivation', Named>> &
    Readonly<Record<'dropout' | 'recurrentDropout', number>> &
    Readonly<Record<'kernel' | 'recurrentKernel', { read(): TfTensor }>> & {
      readonly bias?: { read(): TfTensor } | null;
    };
  call(inputs: TfTensor | TfTensor[], options: Options | null): TfTensor | TfTensor[];
}
interface Options {
  readonly mask?: object | null;
  readonly initialState?: object | null;
}

/** What ops take for a tensor of those sizes. */
const tensorOf = (data: Data, sizes: Shape, steps = contiguousStrides(sizes)): Tensor =>
  ({
    ...{ block: data.block, byteOffset: 0, dtype: 'f32', shape: sizes, sizes, steps, size: data.size },
  }) as unknown as Tensor;

/** Whether a layer does what our kernels do. */
function fits({ cell, stateful }: Layer, x: TfTensor, options: Options | null): boolean {
  return (
    cell.activation.getClassName() === 'tanh' &&
    cell.recurrentActivation.getClassName() === 'sigmoid' &&
    cell.dropout === 0 &&
    cell.recurrentDropout === 0 &&
    !stateful &&
    !options?.mask &&
    !options?.initialState &&
    numelOf(x.shape) > 0
  );
}

/** Patches the layer. */
export function patchLSTM(tf: TfModule, engine: TfEngine): Restore[] {
  const found = tf.serialization.SerializationMap.getMap().classNameMap.LSTM?.[0] as { prototype: Layer } | undefined;
  if (!found) return [];
  addKernels(rnnKernels);
  return [
    patch(
      found.prototype,
      'call',
      (original) =>
        function (this: Layer, inputs, options) {
          const { backend, state } = engine;
          const [x] = [inputs].flat() as [TfTensor];
          // Gradients of gradients have none of these.
          const isPlain = !(backend instanceof Backend && backend.tracer) || state.gradientDepth > 1;
          if (isPlain || !fits(this, x, options)) return original.call(this, inputs, options);
          return engine.tidy(() => run(this, engine, backend, x));
        },
    ),
  ];
}

function run(layer: Layer, engine: TfEngine, backend: Backend, samples: TfTensor): TfTensor | TfTensor[] {
  const { cell, goBackwards, returnSequences, returnState } = layer;
  const move = (x: TfTensor): TfTensor => engine.runKernel('Transpose', { x }, { perm: [1, 0, 2] }) as TfTensor;
  let x = move(samples);
  if (goBackwards) x = engine.runKernel('Reverse', { x }, { dims: [0] }) as TfTensor;
  const [kernel, recurrent] = [cell.kernel.read(), cell.recurrentKernel.read()];
  const bias = cell.bias?.read();
  const pass = new Pass(backend, x, kernel, recurrent, bias);
  const { time, rows, width } = pass;
  const wrap = (dataId: Data, shape: Shape): TfTensor =>
    engine.makeTensorFromTensorInfo({ dataId, shape, dtype: 'float32' });
  const made = engine.runKernelFunc({
    inputs: { x, kernel, recurrent, ...(bias && { bias }) },
    forwardFunc: () => {
      pass.forward();
      const output = returnSequences ? wrap(pass.y, [time, rows, width]) : wrap(pass.h, [rows, width]);
      return returnState ? [output, wrap(pass.again(pass.h), [rows, width]), wrap(pass.c, [rows, width])] : output;
    },
    backwardsFunc: (given: TfTensor | TfTensor[]) => {
      const [g, gh, gc] = [given].flat().map((one) => backend.at(one)) as [Data, Data?, Data?];
      const [dy, dh] = returnSequences ? [g, gh] : [null, gh ? pass.sum(g, gh) : g];
      const weights = pass.backward(dy, dh ?? null, gc ?? null);
      const parts = weights(x.shape[2] as number);
      return {
        x: () => wrap(pass.inputGradient(), x.shape),
        kernel: () => wrap(parts[0], kernel.shape),
        recurrent: () => wrap(parts[1], recurrent.shape),
        bias: () => wrap(pass.biasGradient(), [4 * width]),
      };
    },
  });
  const [output, ...states] = [made].flat() as [TfTensor, ...TfTensor[]];
  const result = returnSequences ? move(output) : output;
  return returnState ? [result, ...states] : result;
}

const NO_ACTIVATION = 0;
const SINGLE: readonly number[] = [0];

/** A pass over sequences, time by time, from states of zeros. */
class Pass {
  readonly time: number;
  readonly rows: number;
  readonly width: number;
  readonly y: Data;
  readonly h: Data;
  readonly c: Data;
  readonly #backend: Backend;
  readonly #size: number;
  readonly #order: { readonly batchSizes: number[]; readonly reverse: false };
  readonly #x: Tensor;
  readonly #kernel: Data;
  readonly #weightHh: Tensor;
  readonly #weightIh: Tensor;
  readonly #bias: Tensor | null;
  readonly #gates: Tensor;
  readonly #squashed: Tensor;
  readonly #before: Tensor;
  readonly #inputs: Tensor;
  readonly #dgates: Tensor;

  constructor(backend: Backend, x: TfTensor, kernel: TfTensor, recurrent: TfTensor, bias: TfTensor | undefined) {
    const [time, rows, size] = x.shape as [number, number, number];
    const [width] = recurrent.shape as [number];
    const all = time * rows;
    const gates = 4 * width;
    const make = (sizes: Shape): Tensor => tensorOf(backend.fresh('float32', numelOf(sizes)), sizes);
    this.#backend = backend;
    this.time = time;
    this.rows = rows;
    this.width = width;
    this.#size = size;
    this.#order = { batchSizes: new Array<number>(time).fill(rows), reverse: false };
    this.#x = tensorOf(backend.at(x), [all, size]);
    this.#kernel = backend.at(kernel);
    this.#weightIh = tensorOf(this.#kernel, [gates, size], [1, gates]);
    this.#weightHh = tensorOf(backend.at(recurrent), [gates, width], [1, gates]);
    this.#bias = bias ? tensorOf(backend.at(bias), [gates]) : null;
    this.y = backend.fresh('float32', all * width);
    this.h = backend.fresh('float32', rows * width);
    this.c = backend.fresh('float32', rows * width);
    this.#gates = make([all, gates]);
    this.#dgates = make([all, gates]);
    this.#squashed = make([all, width]);
    this.#before = make([all, width]);
    this.#inputs = make([all, size + width]);
  }

  #fresh(size: number): Data {
    return this.#backend.fresh('float32', size);
  }

  forward(): void {
    const { width, rows } = this;
    const panels = panelShape(this.#order, width, 4 * width);
    runLSTM(
      this.#backend.kernels,
      {
        ...{ y: tensorOf(this.y, [this.time * rows, width]), h: tensorOf(this.h, [rows, width]) },
        ...{ c: tensorOf(this.c, [rows, width]), gates: this.#gates, squashed: this.#squashed, before: this.#before },
        ...{ inputs: this.#inputs, panels: tensorOf(this.#fresh(numelOf(panels)), panels) },
        product: tensorOf(this.#fresh(4 * rows * width), [rows, 4 * width]),
      },
      { x: this.#x, weightIh: this.#weightIh, weightHh: this.#weightHh, bias: this.#bias, h0: null, c0: null },
      this.#order,
    );
  }

  /** The same numbers once more. */
  again(x: Data): Data {
    const y = this.#fresh(x.size);
    this.#backend.kernels.copy_32({ y, x, dims: [1, x.size, 1, 1] });
    return y;
  }

  sum(a: Data, b: Data): Data {
    const y = this.#fresh(a.size);
    this.#backend.kernels.add_forward_f32({ y, a, b, dims: [1, a.size, 1, 1] });
    return y;
  }

  /** @returns what computes the gradients of both weights, as one product */
  backward(dy: Data | null, dh: Data | null, dc: Data | null): (size: number) => [Data, Data] {
    const { width, rows, time } = this;
    const { kernels } = this.#backend;
    const state: Shape = [rows, width];
    const panels = panelShape(this.#order, 4 * width, width);
    const own = (): Tensor => tensorOf(this.#fresh(rows * width), state);
    reverseLSTM(
      kernels,
      { dgates: this.#dgates, dh0: own(), dc0: own(), panels: tensorOf(this.#fresh(numelOf(panels)), panels) },
      {
        ...{
          dy: dy && tensorOf(dy, [time * rows, width]),
          dh: dh && tensorOf(dh, state),
          dc: dc && tensorOf(dc, state),
        },
        ...{ gates: this.#gates, squashed: this.#squashed, before: this.#before, weightHh: this.#weightHh },
      },
      { ...this.#order, states: false },
    );
    return (size) => {
      const [n, m] = [4 * width, size + width];
      const c = this.#fresh(m * n);
      const call = { c, a: this.#inputs, b: this.#dgates, bias: null, m, n, k: time * rows };
      kernels.gemm_f32({ ...call, aRow: 1, aCol: m, bRow: n, bCol: 1, cRow: n, act: NO_ACTIVATION, dims: SINGLE });
      return [0, size].map((from) => {
        const y = this.#fresh((from ? width : size) * n);
        kernels.copy_32({ y, x: part(c, from * n), dims: [1, y.size, 1, 1] });
        return y;
      }) as [Data, Data];
    };
  }

  inputGradient(): Data {
    const [m, n, k] = [this.time * this.rows, this.#size, 4 * this.width];
    const c = this.#fresh(m * n);
    const call = { c, a: this.#dgates, b: this.#kernel, bias: null, m, n, k, aRow: k, aCol: 1 };
    this.#backend.kernels.gemm_f32({ ...call, bRow: 1, bCol: k, cRow: n, act: NO_ACTIVATION, dims: SINGLE });
    return c;
  }

  biasGradient(): Data {
    const inner = 4 * this.width;
    const y = this.#fresh(inner);
    const r = this.time * this.rows;
    this.#backend.kernels.sum_f32({ y, x: this.#dgates, outer: 1, r, inner, stride: inner, factor: 1 });
    return y;
  }
}

// What a model is made of, layer by layer, seen on a pass through it.
import { withoutTape } from '../autograd.ts';
import { zeros } from '../creation.ts';
import { ArgumentError, describe, formatShape } from '../memory/errors.ts';
import { getRngState, setRngState } from '../random.ts';
import { scope } from '../scope.ts';
import { callable } from '../signature.ts';
import { type Shape, Tensor } from '../tensor.ts';
import { ConvLayer, ConvTranspose1d, ConvTranspose2d } from './conv.ts';
import { Linear } from './linear.ts';
import { Module } from './module.ts';
import { BY_ROW } from './names.ts';

/** A call of a module, in the order in which they began. */
export interface SummaryRow {
  /** The path of the module; '' is the model itself. */
  readonly path: string;
  /** Its class. */
  readonly type: string;
  /** How deep below the model it is. */
  readonly depth: number;
  /** The shapes of the tensors that it gave. */
  readonly outputShapes: readonly Shape[];
  /** Numbers of its own parameters, without those of modules below; 0 where they were counted before. */
  readonly parameters: number;
  /** Multiplications with additions of the call itself: those of Linear, convolutions and recurrent layers. */
  readonly multiplyAdds: number;
}

/** What {@link summary} finds. Prints as a table. */
export interface Summary {
  /** The calls. */
  readonly rows: readonly SummaryRow[];
  /** Numbers of all parameters, each once. */
  readonly parameters: number;
  /** Numbers of those that require a gradient. */
  readonly trainable: number;
  /** Multiplications with additions of the whole pass. */
  readonly multiplyAdds: number;
  /** The table. */
  toString(): string;
}

/** The tensors in a value: itself, or those in lists and plain objects. */
function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  const isPlain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? Object.values(value).flatMap(tensorsIn) : [];
}

/** Multiplications with additions of a call. Each weight of a kernel takes part once for each place that it is at. */
function multiplyAddsOf(module: object, x: Tensor, y: Tensor): number {
  if (module instanceof ConvTranspose1d || module instanceof ConvTranspose2d)
    return (x.size * module.weight.size) / (module.weight.shape[0] as number);
  if (module instanceof Linear || module instanceof ConvLayer)
    return (y.size * module.weight.size) / (module.weight.shape[0] as number);
  if (module instanceof Module && BY_ROW in module)
    return (x.size / (x.shape.at(-1) as number)) * sizes(module.parameters().filter(({ ndim }) => ndim > 1));
  return 0;
}

const sizes = (xs: readonly Tensor[]): number => xs.reduce((sum, { size }) => sum + size, 0);
const isShape = (x: unknown): x is Shape => Array.isArray(x) && x.every((size) => typeof size === 'number');

function table({ rows, parameters, trainable, multiplyAdds }: Summary): string {
  const cells = rows.map(({ path, type, depth, outputShapes, parameters: own, multiplyAdds: work }) => [
    `${'  '.repeat(depth)}${type}${path ? ` (${path})` : ''}`,
    outputShapes.map(formatShape).join(', '),
    own > 0 ? own.toLocaleString('en') : '',
    work > 0 ? work.toLocaleString('en') : '',
  ]);
  const lines = [['module', 'output', 'parameters', 'multiply-adds'], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  const text = lines.map((line) =>
    line
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
  return [
    ...text,
    `${parameters.toLocaleString('en')} parameters, ${trainable.toLocaleString('en')} trainable; ${multiplyAdds.toLocaleString('en')} multiply-adds`,
  ].join('\n');
}

/**
 * The layers that a pass through `model` calls, with the shapes that they give, their parameters and their work (as the
 * package torchinfo does it for PyTorch). The pass is in evaluation mode and without gradients, and leaves no trace:
 * not in modes, running statistics or the generator of random numbers.
 * @param input a tensor, or the shape of one, which is then f32 and full of zeros; for several arguments a list
 * @throws what forward throws
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
 * console.log(String(nn.summary(model, [1, 784])));
 * ```
 */
export const summary = callable<(model: Module, input: Tensor | Shape | readonly (Tensor | Shape)[]) => Summary>(
  'summary(model: Module, input: Tensor|any[])',
  summarize,
);

function summarize(model: Module, input: Tensor | Shape | readonly (Tensor | Shape)[]): Summary {
  const given = input instanceof Tensor || isShape(input) ? [input] : input;
  if (!Array.isArray(given) || !given.every((x) => x instanceof Tensor || isShape(x)))
    throw new ArgumentError(
      `summary: expected a tensor, a shape, or a list of these, as input, got ${describe(input)}`,
    );
  const rows: { -readonly [K in keyof SummaryRow]: SummaryRow[K] }[] = [];
  const counted = new Set<Tensor>();
  const named = model.namedModules();
  const modes = named.map(([, module]) => module.training);
  const random = getRngState();
  const open: (typeof rows)[number][] = [];
  const handles = named.flatMap(([path, module]) => [
    module.registerForwardPreHook(() => {
      const own = module.parameters(false).filter((p) => !counted.has(p));
      for (const p of own) counted.add(p);
      const row = {
        path,
        type: module.constructor.name,
        depth: open.length,
        outputShapes: [],
        parameters: sizes(own),
        multiplyAdds: 0,
      };
      rows.push(row);
      open.push(row);
    }),
    module.registerForwardHook((_, args, output) => {
      const row = open.pop() as (typeof rows)[number];
      const [[x], [y]] = [tensorsIn(args), tensorsIn(output)];
      row.outputShapes = tensorsIn(output).map(({ shape }) => [...shape]);
      if (x && y) row.multiplyAdds = multiplyAddsOf(module, x, y);
    }),
  ]);
  try {
    model.eval();
    scope(() => {
      withoutTape(() => {
        const args = (given as readonly (Tensor | Shape)[]).map((x) => (x instanceof Tensor ? x : zeros(x)));
        (model as unknown as { forward(...args: unknown[]): void }).forward(...args);
      });
    });
  } finally {
    for (const handle of handles) handle.remove();
    named.forEach(([, module], i) => {
      module.training = modes[i] as boolean;
    });
    setRngState(random);
  }
  const all = model.parameters();
  const result: Summary = {
    rows,
    parameters: sizes(all),
    trainable: sizes(all.filter(({ requiresGrad }) => requiresGrad)),
    multiplyAdds: rows.reduce((sum, row) => sum + row.multiplyAdds, 0),
    toString: () => table(result),
  };
  Object.defineProperty(result, Symbol.for('nodejs.util.inspect.custom'), { value: () => result.toString() });
  return result;
}

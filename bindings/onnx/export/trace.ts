// What a module computes, as the graph of ops that compile() traces: without values, and so for any size of the batch.
import { withoutTape } from '../../autograd.ts';
import { runtime } from '../../engine/engine.ts';
import { withTracer } from '../../execute.ts';
import type { Block } from '../../memory/arena.ts';
import { ArgumentError, describe, expectSynchronous } from '../../memory/errors.ts';
import { dropUnread } from '../../program/graph.ts';
import { containerOf, mapTensors } from '../../program/key.ts';
import { type Node, Trace } from '../../program/trace.ts';
import { watchCalls } from '../../signature.ts';
import { Tensor } from '../../tensor.ts';

/** What is traced: a module, or what has a forward like one. */
export interface Traceable {
  forward(...args: never[]): unknown;
}

/** A result, and where it stands in what the module gives: '' alone, else its keys and places, such as `1` or `h.0`. */
export interface Result {
  readonly place: string;
  readonly tensor: Tensor;
}

export interface Traced {
  readonly trace: Trace;
  /** What is needed for the results, in order. */
  readonly nodes: readonly Node[];
  /** What stood for the tensors in the arguments. */
  readonly inputs: readonly Tensor[];
  readonly results: readonly Result[];
  /** Blocks that were filled from JavaScript, and with what. */
  readonly constants: ReadonlyMap<Block, ArrayLike<number>>;
}

/** The tensors in lists, plain objects, Maps and Sets, in order. */
export function tensorsOf(value: unknown): Tensor[] {
  const found = new Set<Tensor>();
  mapTensors(value, (x) => void found.add(x));
  return [...found];
}

/** All that a forward gave. @throws ArgumentError for what is no tensor */
function resultsOf(op: string, value: unknown, place = ''): Result[] {
  if (value instanceof Tensor) return [{ place, tensor: value }];
  // What a layer lacks, such as weights that nobody asked for.
  if (value === null || value === undefined) return [];
  const container = containerOf(value);
  if (!container)
    throw new ArgumentError(
      `${op}: expected a module that gives tensors, in lists or objects, got ${describe(value)}${place ? ` in ${place}` : ''}; wrap it in a module that gives its tensors`,
    );
  const keys = container.keys.length > 0 ? container.keys : container.items.map((_, i) => i);
  return container.items.flatMap((item, i) => resultsOf(op, item, place ? `${place}.${keys[i]}` : String(keys[i])));
}

/**
 * Calls the model's forward once. Nothing is computed, and nothing has changed.
 * @param shapeOf which shape stands for an argument's
 * @throws what forward throws
 */
export function traceOf(
  op: string,
  model: Traceable,
  args: readonly unknown[],
  shapeOf: (x: Tensor) => readonly number[],
): Traced {
  const { arena } = runtime();
  const trace = new Trace();
  const scope = arena.open();
  try {
    const inputs = new Map<Tensor, Tensor>();
    const standIn = (x: Tensor): Tensor => {
      x.checkAlive();
      x.expectDense(op);
      const made = inputs.get(x) ?? Tensor.allocate(shapeOf(x), x.dtype, op);
      inputs.set(x, made);
      return made;
    };
    const given = withTracer(trace, () => mapTensors(args, standIn)) as never[];
    const value = trace.gradients.watch(() =>
      withTracer(trace, () => withoutTape(() => watchCalls(() => model.forward(...given)))),
    );
    expectSynchronous(op, value);
    const results = resultsOf(op, value);
    const wanted = new Set(results.map(({ tensor }) => tensor.block));
    const nodes = dropUnread(trace.nodes, (block) => block.origin !== trace || wanted.has(block));
    return { trace, nodes, inputs: [...inputs.values()], results, constants: new Map(trace.constants) };
  } finally {
    trace.watch.restore(true);
    trace.takeWrites();
    trace.discard();
    arena.close(scope);
  }
}

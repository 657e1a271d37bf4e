// From a trace to what a program is made of.
import type { Runtime } from '../engine/engine.ts';
import { withTracer } from '../execute.ts';
import type { Block } from '../memory/arena.ts';
import { type Shape, Tensor } from '../tensor.ts';
import { type Alive, improve, takeConstants } from './graph.ts';
import { lower } from './lower.ts';
import type { Source } from './program.ts';
import type { Trace } from './trace.ts';

/** What the program of a trace is made of. @param alive blocks that are read when it is over */
export function sourceOf({ lists }: Runtime, trace: Trace, outside: ReadonlySet<Block>, alive: Alive): Source {
  const inside = (block: Block): boolean => block.origin === trace && !outside.has(block);
  const make = (shape: Shape): Tensor => withTracer(trace, () => Tensor.allocate(shape, 'f32', 'compile'));
  const nodes = improve(trace.nodes, alive, make);
  const { nodes: rest, constants } = takeConstants(nodes, alive, new Set(trace.constants.keys()));
  return { nodes, commands: lower(rest, lists.select), constants, inside, outside, alive };
}

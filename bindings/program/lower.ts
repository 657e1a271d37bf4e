// From the graph to commands: each row's forward is called with kernels that note their calls. It looks at shapes,
// strides, dtypes and attributes only, so that it does not matter that nothing has memory.
import { runtime } from '../engine/engine.ts';
import { type Command, commandOf, type Select } from '../kernels/command.ts';
import type { KernelName, Kernels, ProbeName, Probes } from '../kernels/table.ts';
import type { Node } from './trace.ts';

/**
 * A command, the node that it is for (null where there is no graph) and, of a check, what throws what the eager call
 * would have thrown.
 */
export interface Lowered extends Command {
  readonly node: Node | null;
  readonly complain?: (() => void) | undefined;
}

/** The commands of a graph, in order. */
export function lower(nodes: readonly Node[], select: Select): Lowered[] {
  const commands: Lowered[] = [];
  let node = nodes[0] as Node;
  let complain: (() => void) | undefined;
  const note = (kernel: KernelName | ProbeName) => (call: Readonly<Record<string, unknown>>) => {
    const command = commandOf(kernel, call, select);
    commands.push({ ...command, node, complain });
    return -1;
  };
  const recorded = (names: object): unknown =>
    Object.fromEntries(Object.keys(names).map((name) => [name, note(name as KernelName)]));
  const kernels = recorded(runtime().kernels) as Kernels;
  const recordedProbes = recorded(runtime().probes) as Probes;
  for (node of nodes) {
    const { row, inputs, outputs, attrs, op } = node;
    const { check, forward, title } = row.rules;
    if (check) {
      const name = title?.(inputs, attrs) ?? op;
      complain = () => check(runtime().probes, inputs, attrs, name);
      check(recordedProbes, inputs, attrs, name);
      complain = undefined;
    }
    forward?.(kernels, outputs, inputs, attrs);
  }
  return commands;
}

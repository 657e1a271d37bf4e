// What dump() of a compiled function says, as data: the tests read its text in this one place.
import { table } from '../../bindings/kernels/table.ts';

/** The names of the kernels of each step, in order; a fused chain is one step of several. */
export function kernelsOf(dump: string): string[][] {
  const lines = dump.split('\n');
  const steps: string[][] = [];
  for (const line of lines.slice(lines.findIndex((text) => text.startsWith('program of')) + 1)) {
    if (/^\s*\d+\s/.test(line)) steps.push([]);
    const name = line.split(/\s+/).find((word) => word in table);
    if (name !== undefined) steps.at(-1)?.push(name);
  }
  return steps;
}

/** The ops of the graph, in order. */
export function opsOf(dump: string): string[] {
  const lines = dump.split('\n');
  const end = lines.findIndex((text) => text.startsWith('program of'));
  return lines.slice(1, end).map((line) => /^\s*\d+\s+(?:%.* = )?(\w+)/.exec(line)?.[1] as string);
}

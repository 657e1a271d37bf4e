// A program as text, on both levels: the graph of ops, and the commands that it became.

import { type Dtype, dtypes } from '../dtypes.ts';
import { type Argument, operandsOf, type Ref } from '../kernels/command.ts';
import { formatShape } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { Lowered } from './lower.ts';
import { pathOf } from './modules.ts';
import type { Program } from './program.ts';
import { describeSite } from './site.ts';
import { type Node, tensorsIn } from './trace.ts';

const kilobytes = (bytes: number): string =>
  bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** Short names for blocks, in the order in which they are met. */
class Names {
  readonly #names = new Map<unknown, string>();

  of(block: unknown): string {
    const name = this.#names.get(block) ?? `%${this.#names.size}`;
    this.#names.set(block, name);
    return name;
  }
}

const round = (x: number): string => String(Number(x.toPrecision(6)));

function describeAttrs(attrs: unknown): string {
  if (attrs === undefined) return '';
  const show = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
    return typeof value === 'number' ? round(value) : String(value);
  };
  const entries = Object.entries(attrs as object).map(([name, value]) => `${name}: ${show(value)}`);
  return ` { ${entries.join(', ')} }`;
}

/** `%3:f32[2, 2] = matmul a=%0:f32[2, 2] b=%1:f32[2, 2] in 0.fc (at file:line)`. */
function describeNode(node: Node, names: Names): string {
  const { op, row, inputs, outputs, attrs, site, module } = node;
  const tensor = ({ block, dtype, sizes: shape }: Tensor): string => `${names.of(block)}:${dtype}${formatShape(shape)}`;
  const results = Object.values(outputs).map(tensor).join(', ');
  const given = row.inputs.flatMap(({ name }) => tensorsIn(inputs[name]).map((x) => `${name}=${tensor(x)}`));
  const path = pathOf(module);
  return `${results ? `${results} = ` : ''}${[op, ...given].join(' ')}${describeAttrs(attrs)}${path ? ` in ${path}` : ''}${describeSite(site)}`;
}

/** `gemm_f32 c=%0:f32[2, 2] … algorithm=small`. */
function describeCommand({ kernel, call }: Lowered, names: Names): string {
  const value = (argument: Argument): string => {
    if (argument === null) return '-';
    if (typeof argument === 'number') return round(argument);
    if (Array.isArray(argument)) return formatShape(argument);
    const { block, offset, shape, dtype } = argument as Ref;
    return `${names.of(block)}${offset ? `+${offset}` : ''}:${dtype}${formatShape(shape)}`;
  };
  const operands = operandsOf(kernel).map(([name, spec]) => {
    const argument = call[name] as Argument;
    const words = 'words' in spec && spec.kind !== 'list' ? spec.words : null;
    return `${name}=${(typeof argument === 'number' && words?.[argument]) || value(argument)}`;
  });
  return [kernel, ...operands].join(' ');
}

/** Bytes that a command reads and writes. */
const bytesOf = ({ kernel, call }: Lowered): number =>
  operandsOf(kernel).reduce((sum, [name, { kind }]) => {
    const ref = call[name] as Ref | null;
    if (kind !== 'buffer' || !ref) return sum;
    return sum + ref.shape.reduce((a, b) => a * b, 1) * dtypes[ref.dtype as Dtype].bytes;
  }, 0);

/** The graph, a line a node; then the program, a line a command. */
export function dump({ nodes, infos, planned }: Program): string {
  const names = new Names();
  const graph = nodes
    .filter(({ row }) => !row.rules.view)
    .map((node, i) => `${String(i).padStart(4)}  ${describeNode(node, names)}`);
  const steps = infos.map(({ step: { tasks, loop } }, i) => {
    const bytes = tasks.reduce((sum, { command }) => sum + bytesOf(command), 0);
    const text = tasks.map(({ command }) => describeCommand(command, names)).join('\n      ');
    return `${String(i).padStart(4)}  ${kilobytes(bytes).padStart(9)}  ${loop ? 'loop\n      ' : ''}${text}`;
  });
  return [
    `graph of ${graph.length} ops`,
    ...graph,
    `program of ${infos.length} steps, ${kilobytes(planned)} of intermediates`,
    ...steps,
  ].join('\n');
}

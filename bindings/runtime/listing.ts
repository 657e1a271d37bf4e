// A program as text.
import { formatShape } from './errors.ts';
import type { Step } from './passes.ts';
import type { Program } from './program.ts';
import { type Argument, isRef } from './recorder.ts';

const kilobytes = (bytes: number): string =>
  bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

const size = (shape: readonly number[], dtype: string): number =>
  shape.reduce((a, b) => a * b, 1) * (dtype === 'u8' ? 1 : 4);

/** A line for each step of `program`. @param profile how often to run it for the share of each step in the time, or 0 */
export function listing(program: Program, profile: number): string {
  const seconds = profile > 0 ? program.profile(profile) : [];
  const total = seconds.reduce((a, b) => a + b, 0);
  const names = new Map<unknown, string>();
  const nameOf = (arg: Argument): string => {
    if (!isRef(arg))
      return arg === null
        ? '-'
        : Array.isArray(arg)
          ? formatShape(arg)
          : String(Number((arg as number).toPrecision(6)));
    const name = names.get(arg.block) ?? `%${names.size}`;
    names.set(arg.block, name);
    return `${name}${arg.offset ? `+${arg.offset}` : ''}:${arg.dtype}${formatShape(arg.shape)}`;
  };
  const line = ({ tasks }: Step): { text: string; bytes: number } => ({
    text: tasks.map(({ command: { kernel, args } }) => `${kernel} ${args.map(nameOf).join(' ')}`).join('\n      '),
    bytes: tasks.reduce(
      (sum, { touches }) => sum + touches.reduce((s, { ref }) => s + size(ref.shape, ref.dtype), 0),
      0,
    ),
  });
  const lines = program.infos.map(({ step }, i) => {
    const { text, bytes } = line(step);
    const share = total > 0 ? `${((100 * (seconds[i] as number)) / total).toFixed(1).padStart(5)} % ` : '';
    return `${String(i).padStart(4)}  ${share}${kilobytes(bytes).padStart(9)}  ${step.loop ? 'loop\n      ' : ''}${text}`;
  });
  return [
    `program of ${program.infos.length} steps, ${kilobytes(program.planned)} of intermediates${total > 0 ? `, kernels ${(total * 1e6).toFixed(1)} µs` : ''}`,
    ...lines,
  ].join('\n');
}

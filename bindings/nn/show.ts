// How modules print.
import { formatShape } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';
import type { Kind } from './parameter.ts';

interface Shown {
  extraRepr(): string;
}
interface Part {
  readonly name: string;
  readonly value: object;
  readonly kind: Kind | undefined;
}

const line = ({ name, kind }: Part, { dtype, shape }: Tensor): string =>
  `(${name}): ${kind === 'parameter' ? 'Parameter' : 'Buffer'} ${dtype} ${formatShape(shape)}`;

/**
 * `Linear(2 → 3), 9 parameters`: the class, its settings, what is in it, and how many numbers are trained in all, each
 * once. The tensors of a module that says nothing of itself are shown with their shapes.
 */
export function show(
  module: Shown,
  partsOf: (module: Shown) => readonly Part[],
  indent = '\n',
  above: readonly Shown[] = [],
  all: Set<Tensor> = new Set(),
): string {
  const { name } = module.constructor;
  if (above.includes(module)) return `${name}(…)`;
  const extra = module.extraRepr();
  const lines = extra ? [extra] : [];
  const inner = `${indent}  `;
  const trained = new Set<Tensor>();
  for (const part of partsOf(module)) {
    const { value, kind } = part;
    if (!(value instanceof Tensor))
      lines.push(`(${part.name}): ${show(value as Shown, partsOf, inner, [...above, module], trained)}`);
    else if (kind) {
      if (kind === 'parameter') trained.add(value);
      if (!extra) lines.push(line(part, value));
    }
  }
  let count = 0;
  for (const x of trained) {
    count += x.size;
    all.add(x);
  }
  const body =
    lines.length === 1 && extra ? extra : lines.map((text) => inner + text).join('') + (lines[0] ? indent : '');
  return `${name}(${body})${count > 0 ? `, ${count} parameter${count === 1 ? '' : 's'}` : ''}`;
}

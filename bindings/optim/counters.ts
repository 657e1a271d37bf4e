// The counters of an optimizer's steps: one a parameter, as a state has them, in one piece of memory for those that are
// made together. So a step is counted by one call, as long as all of them have gradients.
import { ops } from '../autograd.ts';
import { Tensor } from '../tensor.ts';

/** A lasting tensor of a state. */
export function filled(shape: readonly number[], value: number): Tensor {
  const y = Tensor.allocate(shape, 'f32', 'optimizer').keep();
  ops.fillInto({ y }, { value });
  return y;
}

/** What gives a counter a call, `most` times, side by side. */
export function counters(most: number): () => Tensor {
  let all: Tensor | undefined;
  let given = 0;
  return () => {
    all ??= filled([most], 0);
    return all.alias([], [], given++);
  };
}

/** Counts a step of those with gradients: of all at once whose counters lie side by side. */
export function countSteps(params: readonly Tensor[], states: ReadonlyMap<Tensor, { readonly step: Tensor }>): void {
  const steps: Tensor[] = [];
  for (const p of params) if (p.grad) steps.push((states.get(p) as { readonly step: Tensor }).step);
  for (let i = 0; i < steps.length; ) {
    const first = steps[i] as Tensor;
    let n = 0;
    for (; steps[i]?.block === first.block && steps[i]?.offset === first.offset + n; n++) i++;
    ops.advanceStep({ step: first.alias([n], [1], first.offset) });
  }
}

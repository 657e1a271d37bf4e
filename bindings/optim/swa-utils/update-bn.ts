// Running statistics of batch norms, for weights that were not trained themselves.
import { withoutTape } from '../../autograd.ts';
import { fill_ } from '../../functional/functions.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { BatchNorm } from '../../nn/norm.ts';
import { inFront } from '../../nn/tree.ts';
import { scope } from '../../scope.ts';
import { taking } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { Copy } from './averaged.ts';

/** What has momentum, and the buffers of a batch norm where `module` has them. */
interface Found {
  readonly norm: BatchNorm;
  readonly buffers: readonly [name: string, x: Tensor][];
}

/** The batch norms below a module; those of an averaged one have their code in another. */
function normsOf(model: Module): Found[] {
  return model.namedModules().flatMap(([, module]): Found[] => {
    if (module instanceof BatchNorm) return [{ norm: module, buffers: module.namedBuffers() }];
    if (!(module instanceof Copy)) return [];
    const all = module.namedBuffers({ removeDuplicate: false });
    return (module as Copy).original.namedModules().flatMap(([path, norm]) => {
      const front = inFront(path, '');
      const own = all.filter(([name]) => name.startsWith(front)).map(([name, x]) => [name.slice(front.length), x]);
      return norm instanceof BatchNorm ? [{ norm, buffers: own as [string, Tensor][] }] : [];
    });
  });
}

/**
 * Computes the running statistics of batch norms anew, as the means of those of all batches (PyTorch's
 * `swa_utils.update_bn`): those of averaged weights are not the averages of theirs.
 * @param loader the batches; of a batch that is a list, the first tensor is the input
 * @throws ArgumentError unless loader can be iterated over
 */
export const updateBn: (loader: Iterable<unknown>, model: Module) => void = taking<
  (loader: Iterable<unknown>, model: Module) => void
>('updateBn(loader: any, model: Module, -device: any = null)', (loader: Iterable<unknown>, model: Module) => {
  if (typeof loader !== 'object' || loader === null || !(Symbol.iterator in loader))
    throw new ArgumentError('updateBn: expected a loader or a list of batches as loader, got neither');
  const found = normsOf(model);
  if (found.length === 0) return;
  withoutTape(() => {
    for (const { buffers } of found) for (const [name, x] of buffers) fill_(x, name === 'running_var' ? 1 : 0);
  });
  const { training } = model;
  const momenta = found.map(({ norm }) => norm.momentum);
  try {
    model.train();
    for (const { norm } of found) norm.momentum = null;
    const forward = (model as unknown as { forward: (x: unknown) => unknown }).forward;
    for (const batch of loader)
      withoutTape(() => scope(() => void forward.call(model, Array.isArray(batch) ? batch[0] : batch)));
  } finally {
    for (const [i, { norm }] of found.entries()) norm.momentum = momenta[i] as number | null;
    model.train(training);
  }
});

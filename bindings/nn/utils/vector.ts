// All numbers of many parameters in one vector.
import { withoutTape } from '../../autograd.ts';
import { copy_ } from '../../functional/inplace.ts';
import { cat, reshape, slice } from '../../functional/shape.ts';
import { ArgumentError, describe, formatShape, ShapeError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { Tensor } from '../../tensor.ts';
import { listOf } from './list.ts';

/** @throws ArgumentError */
function tensorsOf(op: string, parameters: Iterable<Tensor>): Tensor[] {
  const list = listOf(op, parameters);
  for (const p of list)
    if (!(p instanceof Tensor))
      throw new ArgumentError(`${op}: expected tensors as parameters, got ${describe(p)}; pass model.parameters()`);
  if (list.length === 0) throw new ArgumentError(`${op}: expected at least one parameter, got none`);
  return list as Tensor[];
}

/**
 * All numbers of the parameters in one vector, one parameter after the other (PyTorch's `parameters_to_vector`).
 * @throws ArgumentError
 */
export const parametersToVector = callable(
  'parametersToVector(parameters: any)',
  (parameters: Iterable<Tensor>): Tensor =>
    cat(tensorsOf('parametersToVector', parameters).map((p) => reshape(p, [-1]))),
);

/**
 * Overwrites the parameters with the numbers of a vector, as {@link parametersToVector} gives it (PyTorch's
 * `vector_to_parameters`).
 * @throws ArgumentError, ShapeError, before anything is written
 */
export const vectorToParameters = callable(
  'vectorToParameters(vec: Tensor, parameters: any)',
  (vec: Tensor, parameters: Iterable<Tensor>): void => {
    const list = tensorsOf('vectorToParameters', parameters);
    const count = list.reduce((sum, { size }) => sum + size, 0);
    if (vec.ndim !== 1 || vec.size !== count)
      throw new ShapeError(`vectorToParameters: expected a vector [${count}], got ${formatShape(vec.shape)}`);
    let from = 0;
    withoutTape(() => {
      for (const p of list) {
        copy_(p, reshape(slice(vec, 0, from, from + p.size), p.sizes));
        from += p.size;
      }
    });
  },
);

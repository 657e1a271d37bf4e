// Lists of parameters, as users give them.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { Tensor } from '../../tensor.ts';

/** The elements of a list. @throws ArgumentError for what is none */
export function listOf(op: string, params: unknown): unknown[] {
  if (typeof params !== 'object' || params === null || params instanceof Tensor || !(Symbol.iterator in params))
    throw new ArgumentError(
      `${op}: expected a list of parameters or of groups, got ${describe(params)}; pass model.parameters()`,
    );
  return [...(params as Iterable<unknown>)];
}

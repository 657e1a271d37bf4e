// What a model has of its own: parameters, which are trained; buffers, which are not; and few numbers, which are on the
// host.
import { tensor } from '../creation.ts';
import { Buffer, Parameter } from '../nn/parameter.ts';
import type { Tensor, TypedArray } from '../tensor.ts';
import type { Constant } from './tensors.ts';
import { dtypeOf, HostArray, isFloat, MOST_ON_HOST, type Value } from './values.ts';

/** How nodes use a constant. */
export interface Use {
  /** Whether nobody reads it but as numbers of the host. */
  readonly host: boolean;
  /** Whether somebody reads it who says that it is never trained, such as a running mean. */
  readonly constant: boolean;
  /** Whether the model says by its place that it is none to be trained. */
  readonly fixed?: boolean;
}

const typed = ({ type, data }: Constant): TypedArray => {
  const dtype = dtypeOf(type);
  const Numbers = dtype === 'f32' ? Float32Array : dtype === 'u8' ? Uint8Array : Int32Array;
  return data instanceof Numbers ? data : Numbers.from(data as ArrayLike<number>);
};

/** The constant as nodes take it. @throws ArgumentError where a whole number does not fit i32 */
export function constantOf(constant: Constant, { host, constant: kept, fixed }: Use): Value {
  const { type, sizes, data } = constant;
  const few = data.length <= MOST_ON_HOST;
  const single = sizes.length === 0;
  // Alone, whole numbers are mostly shapes, and fractions are settings.
  if (few && !kept && (host || single || !isFloat(type))) return new HostArray(sizes, Array.from(data), true);
  const made = tensor(typed(constant), { shape: [...sizes] });
  if (!isFloat(type) || (fixed && !kept)) return new Buffer(made, { persistent: false });
  return kept ? new Buffer(made) : new Parameter(made);
}

/** The tensor of a value that modules list; null where it is on the host. */
export const heldOf = (value: Value): Tensor | null => (value instanceof HostArray ? null : value);

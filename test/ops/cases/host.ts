// Cases of the rows between JavaScript's numbers and tensors.
import type { Dtype } from '../../../bindings/dtypes.ts';
import { dtypes } from '../../../bindings/dtypes.ts';
import { numelOf, type Shape } from '../../../bindings/tensor.ts';
import { nd } from '../../../reference/nd.ts';
import { argumentError, type Cases, f32, freedError, i32, type Sample, type Spec, shapeError, u8 } from './types.ts';

const shapes: readonly Shape[] = [[2, 3], [], [1], [0, 3], [1009], [2, 1, 5, 3]];
const specs: readonly Spec[] = shapes.flatMap((shape) => [f32(shape), i32(shape), u8(shape)]);
const numbers: Readonly<Record<Dtype, number>> = { f32: 0.3, i32: -70000, u8: 3 };
const valuesFor = ({ shape, dtype }: Spec): number[] =>
  Array.from({ length: numelOf(shape) }, (_, i) => (numbers[dtype] * i) % 200);

export const hostCases = {
  upload: {
    samples: specs.flatMap((y): Sample<'upload'>[] => [
      { inputs: { y }, attrs: { values: valuesFor(y) } },
      { inputs: { y }, attrs: { values: dtypes[y.dtype].array.from(valuesFor(y)) } },
    ]),
    reference: ({ y }, { values }) => ({ y: nd(y.shape, Array.from(values)) }),
    tolerance: { relative: 6e-8 }, // the numbers are rounded to f32
    gradients: 'none',
    errors: [
      shapeError({ y: f32([2, 3]) }, { values: [1, 2, 3, 4, 5] }, /^upload: expected 6 numbers, got 5/),
      shapeError({ y: u8([]) }, { values: [] }, /^upload: expected 1 numbers, got 0/),
      shapeError({ y: i32([2]) }, { values: new Int32Array(3) }, /^upload: expected 2 numbers, got 3/),
      freedError({ y: f32([2]) }, { values: [1, 2] }, 'y'),
    ],
  },
  download: {
    samples: specs.map((x) => ({
      inputs: { x },
      attrs: () => ({ into: new dtypes[x.dtype].array(numelOf(x.shape)), reader: 'download' }),
    })),
    reference: ({ x }) => ({ into: nd([x.data.length], x.data) }),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      shapeError(
        { x: f32([2, 3]) },
        { into: new Float32Array(5), reader: 'download' },
        /^download: expected room for 6 numbers, got an array of 5/,
      ),
      shapeError(
        { x: i32([2]) },
        { into: new Int32Array(3), reader: 'download' },
        /^download: expected room for 2 numbers, got an array of 3/,
      ),
      argumentError(
        { x: { raw: [1, 2] } },
        { into: new Float32Array(2), reader: 'download' },
        /^download: expected a tensor as x, got object/,
      ),
      freedError({ x: f32([2]) }, { into: new Float32Array(2), reader: 'download' }),
    ],
  },
} satisfies Cases;

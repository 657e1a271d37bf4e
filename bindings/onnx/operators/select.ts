// Operators whose results have as many elements as values say: these are read, so that compile() refuses them.
import { tensor } from '../../creation.ts';
import { tracing } from '../../execute.ts';
import { constantFor } from '../../functional/arguments.ts';
import { gather, indexSelect } from '../../functional/indexing.ts';
import { iota } from '../../functional/places.ts';
import { scatterReduce } from '../../functional/scatter.ts';
import { flatten, reshape } from '../../functional/shape.ts';
import { argsort } from '../../functional/sort.ts';
import { unique } from '../../functional/unique.ts';
import type { Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import { always, type Family, first, type Operator } from '../operator.ts';

const distinct: Operator = {
  takes: 'X | axis:int sorted=1',
  types: first(DATA.INT64, DATA.INT64, DATA.INT64),
  run: (call) => {
    const axis = call.attr('axis');
    const x = axis === null ? flatten(call.x()) : call.x();
    const dim = axis === null ? 0 : call.axis(axis, x.ndim);
    const { output, inverseIndices, counts } = unique(x, {
      dim: axis === null ? null : dim,
      returnInverse: true,
      returnCounts: true,
    });
    const inverse = reshape(inverseIndices as Tensor, [-1]);
    const size = (counts as Tensor).size;
    const places = scatterReduce(constantFor(x, x.size, 'i32', [size]), 0, inverse, iota(inverse.size, x), 'amin');
    if (call.attr('sorted')) return [output, places, inverse, counts as Tensor];
    // In the order in which they came.
    const order = argsort(places);
    const back = argsort(order);
    const picked = (t: Tensor): Tensor => indexSelect(t, 0, order);
    return [indexSelect(output, dim, order), picked(places), gather(back, 0, inverse), picked(counts as Tensor)];
  },
};

type Box = readonly [y1: number, x1: number, y2: number, x2: number];

/** A box by its corners in order. */
function boxOf(data: ArrayLike<number>, at: number, centred: boolean): Box {
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => data[at + i] as number) as [number, number, number, number];
  if (centred) return [b - d / 2, a - c / 2, b + d / 2, a + c / 2];
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
}

/** By how much two boxes overlap, as a part of what both cover. */
function overlap(a: Box, b: Box): number {
  const side = (low: number, high: number): number =>
    Math.max(0, Math.min(a[high] as number, b[high] as number) - Math.max(a[low] as number, b[low] as number));
  const area = ([y1, x1, y2, x2]: Box): number => (y2 - y1) * (x2 - x1);
  const both = side(0, 2) * side(1, 3);
  return both === 0 ? 0 : both / (area(a) + area(b) - both);
}

/** The best boxes of each class that do not overlap much with better ones. */
const suppressed: Operator = {
  takes: 'boxes scores max_output_boxes_per_class?# iou_threshold?# score_threshold?# | center_point_box=0',
  types: always(DATA.INT64),
  run: (call) => {
    tracing()?.refuse('NonMaxSuppression', 'its answer depends on values; call the model outside of compile()');
    const [boxes, scores] = [call.x(0), call.x(1)];
    const [n, classes, count] = scores.sizes as [number, number, number];
    const [corners, values] = [boxes.data, scores.data];
    const most = call.number(2, 0);
    const threshold = call.number(3, 0);
    const least = call.has(4) ? call.number(4) : Number.NEGATIVE_INFINITY;
    const chosen: number[] = [];
    for (let row = 0; row < n * classes; row++) {
      const image = Math.floor(row / classes);
      const score = (i: number): number => values[row * count + i] as number;
      const box = (i: number): Box => boxOf(corners, (image * count + i) * 4, call.attr('center_point_box') !== 0);
      const order = Array.from({ length: count }, (_, i) => i).filter((i) => score(i) > least);
      order.sort((a, b) => score(b) - score(a));
      const kept: Box[] = [];
      for (const i of order) {
        if (kept.length >= most) break;
        const own = box(i);
        if (kept.some((other) => overlap(own, other) > threshold)) continue;
        kept.push(own);
        chosen.push(image, row % classes, i);
      }
    }
    return tensor(Int32Array.from(chosen), { shape: [chosen.length / 3, 3] });
  },
};

export const selections: Family = { NonMaxSuppression: suppressed, Unique: distinct };

// Parts of images at places that are computed: regions of interest, and convolutions whose windows are bent.
import { arange, tensor } from '../../creation.ts';
import { cast } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { gridSample } from '../../functional/grid.ts';
import { indexSelect } from '../../functional/indexing.ts';
import { matmul } from '../../functional/matmul.ts';
import { amax, mean } from '../../functional/reduction.ts';
import * as S from '../../functional/shape.ts';
import { ShapeError } from '../../memory/errors.ts';
import type { Tensor } from '../../tensor.ts';
import type { Family, Operator } from '../operator.ts';
import { each, windowsOf } from './windows.ts';

type Four = [number, number, number, number];

/** Both ends of each place along a dim of `size`, and their shares; beyond the image they are 0. */
function endsOf(place: Tensor, size: number): { at: Tensor; share: Tensor }[] {
  const inside = cast(F.mul(F.ge(place, -1), F.le(place, size)), 'f32');
  const near = F.clamp(place, 0, size - 1);
  const low = F.floor(near.detach());
  const rest = F.sub(near, low);
  const high = F.clamp(F.add(low, 1), { max: size - 1 });
  return [
    { at: cast(low, 'i32'), share: F.mul(F.add(F.neg(rest), 1), inside) },
    { at: cast(high, 'i32'), share: F.mul(rest, inside) },
  ];
}

/** Where samples are along a dim: from `start` on, `counts[1]` in each of `counts[0]` parts of `width`. */
function placesOf(start: Tensor, width: Tensor, [parts, samples]: readonly [number, number]): Tensor {
  const at = Float32Array.from(
    { length: parts * samples },
    (_, i) => Math.floor(i / samples) + ((i % samples) + 0.5) / samples,
  );
  return F.add(S.unsqueeze(start, 1), F.mul(S.unsqueeze(width, 1), tensor(at)));
}

/** What is taken of regions of images: how many parts and samples along each dim. */
interface Taken {
  readonly parts: readonly [number, number];
  readonly samples: readonly [number, number];
  readonly best: boolean;
}

/** @param boxes the ends [k, 4] of regions, x before y @param images which image each is of, i32 */
function aligned(x: Tensor, boxes: readonly Tensor[], images: Tensor, { parts, samples, best }: Taken): Tensor {
  const [n, channels, height, width] = x.sizes as unknown as Four;
  const [x0, y0, wide, high] = boxes as [Tensor, Tensor, Tensor, Tensor];
  const rows = placesOf(y0, F.div(high, parts[0]), [parts[0], samples[0]]);
  const cols = placesOf(x0, F.div(wide, parts[1]), [parts[1], samples[1]]);
  const flat = S.reshape(S.permute(x, [0, 2, 3, 1]), [n * height * width, channels]);
  const origin = S.reshape(F.mul(images, height * width), [-1, 1, 1]);
  const corners = endsOf(rows, height).flatMap((row) =>
    endsOf(cols, width).map((col) => {
      const at = F.add(F.add(S.unsqueeze(F.mul(row.at, width), 2), S.unsqueeze(col.at, 1)), origin);
      const share = F.mul(S.unsqueeze(row.share, 2), S.unsqueeze(col.share, 1));
      return F.mul(indexSelect(flat, 0, S.reshape(at, [-1])), S.reshape(share, [-1, 1]));
    }),
  );
  const joined = best ? amax(S.stack(corners, 0), 0) : corners.reduce((a, b) => F.add(a, b));
  const cells = S.reshape(joined, [-1, parts[0], samples[0], parts[1], samples[1], channels]);
  return S.permute(best ? amax(cells, [2, 4]) : mean(cells, [2, 4]), [0, 3, 1, 2]);
}

const regions: Operator = {
  takes:
    'X rois batch_indices | coordinate_transformation_mode=half_pixel mode=avg output_height=1 output_width=1 sampling_ratio=0 spatial_scale=1',
  run: (call) => {
    const half = call.opset >= 16 && call.word('coordinate_transformation_mode', 'half_pixel', 'output_half_pixel');
    const shift = half === 'half_pixel' ? 0.5 : 0;
    const [x, images] = [call.float(0), call.index(2)];
    const ends = F.sub(F.mul(call.float(1), call.attr('spatial_scale')), shift);
    const [x0, y0, x1, y1] = S.unbind(ends, 1) as [Tensor, Tensor, Tensor, Tensor];
    // Regions of no size are of one pixel there.
    const sizes = [F.sub(x1, x0), F.sub(y1, y0)].map((size) => (shift ? size : F.clamp(size, { min: 1 })));
    const boxes = [x0, y0, ...sizes];
    const parts = [call.attr('output_height'), call.attr('output_width')] as const;
    const best = call.word('mode', 'avg', 'max') === 'max';
    const ratio = call.attr('sampling_ratio');
    if (ratio > 0) return aligned(x, boxes, images, { parts, samples: [ratio, ratio], best });
    // As many samples as pixels, of each region its own: so they have to be read.
    const numbers = call.list(1);
    const each = Array.from({ length: images.size }, (_, i) => {
      const count = (from: number, of: number): number => {
        const [low = 0, high = 0] = [numbers[4 * i + from], numbers[4 * i + from + 2]];
        const size = Math.fround((high - low) * call.attr('spatial_scale'));
        return Math.max(1, Math.ceil((shift ? size : Math.max(size, 1)) / of));
      };
      const own = [...boxes, images].map((list) => S.narrow(list, 0, i, 1));
      return aligned(x, own.slice(0, 4), own[4] as Tensor, {
        parts,
        samples: [count(1, parts[0]), count(0, parts[1])],
        best,
      });
    });
    return S.cat(each, 0);
  },
};

/** Places of each element of a window, [kernel, windows], along one dim. */
function windowPlaces(kernel: number, count: number, stride: number, dilation: number, before: number): Tensor {
  const window = F.sub(F.mul(arange(count), stride), before);
  return F.add(S.unsqueeze(F.mul(arange(kernel), dilation), 1), S.unsqueeze(window, 0));
}

const bent: Operator = {
  takes:
    'X W offset B? mask? | dilations:ints group=1 kernel_shape:ints offset_group=1 pads:ints strides:ints auto_pad=NOTSET',
  run: (call) => {
    const [x, weight, offset] = [0, 1, 2].map((i) => call.float(i)) as [Tensor, Tensor, Tensor];
    if (x.ndim !== 4 || weight.ndim !== 4 || offset.ndim !== 4)
      throw new ShapeError(
        `DeformConv: expected images, weights and offsets of 4 dims, got ${x.ndim}, ${weight.ndim} and ${offset.ndim}`,
      );
    const [n, channels, height, width] = x.sizes as unknown as Four;
    const [out, , kh, kw] = weight.sizes as unknown as Four;
    const [oh, ow] = offset.sizes.slice(2) as [number, number];
    const [groups, own] = [call.attr('group'), call.attr('offset_group')];
    const { before, dilation } = windowsOf(call, [height, width], [kh, kw]);
    const stride = each(call, 'strides', 2, 1);
    const moved = S.reshape(offset, [n * own, kh * kw, 2, oh, ow]);
    // [kernel rows, kernel columns, rows, columns] as those of the offsets.
    const base = [
      S.reshape(windowPlaces(kh, oh, stride[0] as number, dilation[0] as number, before[0] as number), [kh, 1, oh, 1]),
      S.reshape(windowPlaces(kw, ow, stride[1] as number, dilation[1] as number, before[1] as number), [1, kw, 1, ow]),
    ].map((part) => S.reshape(S.expand(part, [kh, kw, oh, ow]), [kh * kw, oh, ow]));
    // The middle of pixel i of n is at (2i + 1) / n − 1.
    const [y, z] = [height, width].map((size, d) => {
      const place = F.add(S.select(moved, 2, d), base[d] as Tensor);
      return F.sub(F.div(F.add(F.mul(place, 2), 1), size), 1);
    }) as [Tensor, Tensor];
    const grid = S.reshape(S.stack([z, y], -1), [n * own, kh * kw * oh, ow, 2]);
    const seen = gridSample(S.reshape(x, [n * own, channels / own, height, width]), grid, { alignCorners: false });
    let columns = S.reshape(seen, [n, own, channels / own, kh * kw, oh * ow]);
    if (call.has(4)) columns = F.mul(columns, S.reshape(call.float(4), [n, own, 1, kh * kw, oh * ow]));
    const inputs = S.reshape(columns, [n, groups, (channels / groups) * kh * kw, oh * ow]);
    const products = matmul(S.reshape(weight, [groups, out / groups, -1]), inputs);
    const result = S.reshape(products, [n, out, oh, ow]);
    return call.has(3) ? F.add(result, S.reshape(call.float(3), [out, 1, 1])) : result;
  },
};

export const places: Family = { DeformConv: bent, RoiAlign: regions };

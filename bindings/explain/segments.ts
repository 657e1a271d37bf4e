// Which pixels of images belong together, for the ways that take features away.

import { withoutTape } from '../autograd.ts';
import { arange } from '../creation.ts';
import { where } from '../functional/elementwise.ts';
import { oneHot } from '../functional/one-hot.ts';
import { cdist } from '../functional/pairs.ts';
import { argmin } from '../functional/reduction.ts';
import { cat, stack } from '../functional/shape.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { scope } from '../scope.ts';
import { callable, taking } from '../signature.ts';
import type { Tensor } from '../tensor.ts';

/** The height and width of images. @throws ShapeError */
function sizesOf(op: string, x: Tensor): [height: number, width: number] {
  if (x.ndim !== 4 || x.size === 0)
    throw new ShapeError(`${op}: expected images [n, channels, height, width], got ${formatShape(x.sizes)}`);
  return x.sizes.slice(2) as [number, number];
}

/** The cell of each row and column, [height, width], where there are `rows` by `columns` of them. */
function cellsOf(op: string, [height, width]: readonly [number, number], rows: number, columns: number): Tensor {
  if (rows < 1 || columns < 1 || rows > height || columns > width)
    throw new ArgumentError(
      `${op}: expected cells from 1 to ${height} by 1 to ${width}, as there are pixels, got ${rows} by ${columns}`,
    );
  const line = (size: number, cells: number): Tensor =>
    arange(size)
      .add(0.5)
      .mul(cells / size)
      .floor();
  return line(height, rows).mul(columns).unsqueeze(1).add(line(width, columns).unsqueeze(0)).to('i32');
}

/**
 * Cells of a grid over images, as `featureMask` takes them.
 * @param images [n, channels, height, width]
 * @param rows how many cells are above each other
 * @param columns how many stand side by side; null: as many as rows
 * @returns i32 [1, 1, height, width], from 0 to rows · columns − 1
 * @throws ShapeError, ArgumentError
 * @example
 * ```ts
 * console.log(explain.gridFeatures(ones([1, 3, 2, 4]), 1, 2).toArray()); // [[[[0, 0, 1, 1], [0, 0, 1, 1]]]]
 * ```
 */
export const gridFeatures = callable(
  'gridFeatures(images: Tensor, rows: int, columns: int|null = null)',
  (images: Tensor, rows: number, columns: number | null = null): Tensor =>
    cellsOf('gridFeatures', sizesOf('gridFeatures', images), rows, columns ?? rows)
      .unsqueeze(0)
      .unsqueeze(0),
);

/** Options of {@link superpixels}. */
export interface SuperpixelOptions {
  /** About how many there are. @defaultValue 50 */
  readonly count?: number;
  /**
   * How much nearness counts beside likeness: a way of one cell is as far as so much of another colour.
   * @defaultValue 0.3
   */
  readonly compactness?: number;
  /** How many times centres move. @defaultValue 10 */
  readonly iterations?: number;
}

/**
 * Pixels that are near each other and alike, as `featureMask` takes them: SLIC (Achanta et al. 2012), means of colour
 * and place that start from a grid. They need not be in one piece.
 * @param images [n, channels, height, width], f32
 * @returns i32 [n, 1, height, width]; the numbers of an image are its own
 * @throws ShapeError, ArgumentError
 */
export const superpixels: (images: Tensor, options?: SuperpixelOptions) => Tensor = taking(
  'superpixels(images: Tensor, *, count: int = 50, compactness: number = 0.3, iterations: int = 10)',
  (images: Tensor, count: number, compactness: number, iterations: number) => {
    const op = 'superpixels';
    const [height, width] = sizesOf(op, images);
    if (!(count >= 1 && compactness >= 0 && iterations >= 0))
      throw new ArgumentError(
        `${op}: expected count >= 1, compactness >= 0 and iterations >= 0, got ${count}, ${compactness}, ${iterations}`,
      );
    const side = Math.sqrt((height * width) / count);
    const [rows, columns] = [height, width].map((size) => Math.max(1, Math.min(size, Math.round(size / side)))) as [
      number,
      number,
    ];
    return scope(() =>
      withoutTape(() => {
        const start = cellsOf(op, [height, width], rows, columns).reshape([-1]);
        const scale = compactness / side;
        const line = (size: number): Tensor => arange(size).mul(scale);
        const places = stack(
          [line(height).unsqueeze(1), line(width).unsqueeze(0)].map((x) => x.expand([height, width]).reshape([-1])),
          1,
        );
        return stack(
          Array.from({ length: images.sizes[0] as number }, (_, i) => {
            const colours = images
              .detach()
              .select(0, i)
              .reshape([-1, height * width])
              .transpose(0, 1);
            const points = cat([colours, places], 1);
            let [cells, centres] = [start, points.narrow(0, 0, 1)];
            for (let turn = 0; turn < iterations; turn++) {
              const members = oneHot(cells, rows * columns).to('f32');
              const sizes = members.sum(0).unsqueeze(1);
              const means = members.transpose(0, 1).matmul(points).div(sizes.maximum(1));
              // Whose pixels all went to others stays where it was.
              centres = where(sizes.eq(0), centres, means);
              cells = argmin(cdist(points, centres), 1);
            }
            return cells.reshape([1, height, width]);
          }),
        );
      }),
    );
  },
);

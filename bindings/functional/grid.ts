// Images looked at where a grid says (Jaderberg et al. 2015), as PyTorch's grid_sample and affine_grid.
import { familyOps, ops } from '../autograd.ts';
import { linspace } from '../creation.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { gridRows } from '../ops/grid.ts';
import { type Callable, callable } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';

const gridOps = familyOps(gridRows);

/** What is between elements: planes through the neighbours, the nearest one, or cubic convolutions of them. */
export type GridMode = 'bilinear' | 'nearest' | 'bicubic';
/** What is outside of an image: zeros, the element at its border, or the image mirrored there. */
export type GridPadding = 'zeros' | 'border' | 'reflection';

/** Options of {@link gridSample}. */
export interface GridSampleOptions {
  /** What is between elements; `'bicubic'` only of images of two dims. @defaultValue 'bilinear' */
  mode?: GridMode;
  /** What is outside of the image. @defaultValue 'zeros' */
  paddingMode?: GridPadding;
  /** Whether −1 and 1 are the middles of corner elements; else their outer edges. null is false. @defaultValue null */
  alignCorners?: boolean | null;
}

/**
 * The image x at the points of a grid, by coordinates from −1 to 1.
 * @param x [n, channels, height, width] or [n, channels, depth, height, width]
 * @param grid [n, ...outputs, 2] or [n, ...outputs, 3]: the coordinates along width, height and depth
 * @returns [n, channels, ...outputs]; it has no second derivatives, as in PyTorch
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const gridSample = callable<
  Callable<
    [x: Tensor, grid: Tensor],
    [mode: GridMode, paddingMode: GridPadding, alignCorners: boolean | null],
    GridSampleOptions,
    Tensor,
    ['x', 'grid']
  >
>(
  "gridSample(x: Tensor, grid: Tensor, mode: 'bilinear'|'nearest'|'bicubic' = 'bilinear', paddingMode: 'zeros'|'border'|'reflection' = 'zeros', alignCorners: bool|null = null)",
  (x: Tensor, grid: Tensor, mode: GridMode, padding: GridPadding, alignCorners: boolean | null) =>
    gridOps.gridSample({ x, grid }, { mode, padding, align: alignCorners ?? false }),
);

/** The option of {@link affineGrid}. */
export interface AffineGridOptions {
  /** Whether −1 and 1 are the middles of corner elements; else their outer edges. null is false. @defaultValue null */
  alignCorners?: boolean | null;
}

/** The coordinates along a dim of `size` elements, as [..., size, ...]. */
function coordinates(size: number, align: boolean, d: number, dims: number): Tensor {
  const edge = size < 2 ? 0 : align ? 1 : (size - 1) / size;
  const shape = new Array<number>(dims).fill(1).with(d, size);
  return ops.reshape({ x: linspace(-edge, edge, size) }, { shape });
}

/**
 * A grid for {@link gridSample}: where the points of a result of `size` lie by an affine map.
 * @param theta [n, 2, 3] or [n, 3, 4]: what coordinates and 1 are multiplied by
 * @param size [n, channels, height, width] or [n, channels, depth, height, width] of the result
 * @returns [n, height, width, 2] or [n, depth, height, width, 3]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const affineGrid = callable<
  Callable<[theta: Tensor, size: Shape], [alignCorners: boolean | null], AffineGridOptions, Tensor, ['theta', 'size']>
>(
  'affineGrid(theta: Tensor, size: int[], alignCorners: bool|null = null)',
  (theta: Tensor, size: Shape, alignCorners: boolean | null) => {
    const axes = size.length - 2;
    if (axes !== 2 && axes !== 3)
      throw new ArgumentError(`affineGrid: expected a size of 4 or 5 numbers, got ${formatShape(size)}`);
    if (!size.every((n) => n >= 1))
      throw new ArgumentError(`affineGrid: expected a size of numbers >= 1, got ${formatShape(size)}`);
    const [n, , ...lengths] = size as [number, number, ...number[]];
    if (theta.ndim !== 3 || theta.sizes[0] !== n || theta.sizes[1] !== axes || theta.sizes[2] !== axes + 1)
      throw new ShapeError(
        `affineGrid: expected theta of shape [${n}, ${axes}, ${axes + 1}] for size ${formatShape(size)}, got ${formatShape(theta.sizes)}`,
      );
    const column = (d: number): Tensor =>
      ops.reshape(
        { x: ops.slice({ x: theta }, { dim: 2, start: d, length: 1, step: 1 }) },
        { shape: [n, ...lengths.map(() => 1), axes] },
      );
    // Coordinate a of a point goes along the last dim but a.
    return lengths.reduce<Tensor>((sum, length, d) => {
      const along = coordinates(length, alignCorners ?? false, d + 1, axes + 2);
      return ops.add({ a: sum, b: ops.mul({ a: along, b: column(axes - 1 - d) }) });
    }, column(axes));
  },
);

// Weights that stay orthogonal (PyTorch's torch.nn.utils.parametrizations.orthogonal).
import { withoutTape } from '../../../autograd.ts';
import { eye, tensor, zeros } from '../../../creation.ts';
import { copy_ } from '../../../functional/inplace.ts';
import { matmul } from '../../../functional/matmul.ts';
import { tril } from '../../../functional/parts.ts';
import { diagonal } from '../../../functional/rearrange.ts';
import { cat, narrow } from '../../../functional/shape.ts';
import { ArgumentError, formatShape, ShapeError } from '../../../memory/errors.ts';
import { sameShape } from '../../../ops/shapes.ts';
import { randn } from '../../../random.ts';
import { callable } from '../../../signature.ts';
import { type Shape, Tensor } from '../../../tensor.ts';
import { Module } from '../../module.ts';
import type { Buffer } from '../../parameter.ts';
import type { Changes } from '../computed.ts';
import { registerParametrization } from '../parametrize.ts';
import { inverse, matrixExp, reflected, turned } from './matrices.ts';
import { factors, type Qr } from './qr.ts';

/** How {@link orthogonal} computes an orthogonal matrix. */
export type OrthogonalMap = 'matrixExp' | 'cayley' | 'householder';

/** Options of {@link orthogonal}. */
export interface OrthogonalOptions {
  /** The parameter. @defaultValue 'weight' */
  name?: string;
  /**
   * What computes an orthogonal matrix: `'matrixExp'`, e^A of a skew-symmetric A; `'cayley'`, (I + A/2)(I − A/2)⁻¹;
   * `'householder'`, a product of reflections; null: `'matrixExp'` for square matrices, else `'householder'`.
   * @defaultValue null
   */
  orthogonalMap?: OrthogonalMap | null;
  /**
   * Whether an orthogonal matrix is kept beside, a buffer `base`, which the map starts from (Lezcano-Casado 2019): so
   * every map begins at the weight that there is, and may be assigned to.
   * @defaultValue true
   */
  useTrivialization?: boolean;
}

/** Matrices by QR decompositions of them, in f64. */
function decomposed(x: Tensor, form: (qr: Qr, at: number) => void): void {
  const [rows, columns] = x.sizes.slice(-2) as [number, number];
  const values = x.contiguous().data;
  for (let at = 0; at < values.length; at += rows * columns)
    form(factors(Float64Array.from(values.subarray(at, at + rows * columns)), rows, columns), at);
}

/** Q of the QR decomposition of tall matrices, with R's diagonal above 0. */
function orthonormal(x: Tensor): Tensor {
  const values = new Float32Array(x.size);
  decomposed(x, ({ q }, at) => values.set(q, at));
  return tensor(values, { shape: x.shape });
}

/** As LAPACK has a QR decomposition: the reflections below the diagonal, and on it the signs that make Q x. */
function reflections(x: Tensor): Tensor {
  const values = new Float32Array(x.size);
  decomposed(x, ({ vectors }, at) => values.set(vectors, at));
  return tensor(values, { shape: x.shape });
}

/** Whether the columns of square matrices are orthonormal, as f32 has it. */
function isOrthogonal(q: Tensor): boolean {
  const n = q.sizes.at(-1) as number;
  const away = matmul(turned(q), q).sub(eye(n)).abs();
  return away.size === 0 || away.max().item() <= 10 * n * 2 ** -23 + 1e-5;
}

const isTall = ({ sizes }: { readonly sizes: Shape }): boolean => (sizes.at(-2) as number) >= (sizes.at(-1) as number);

class Orthogonal extends Module {
  readonly orthogonalMap: OrthogonalMap;
  readonly useTrivialization: boolean;
  declare readonly base: Buffer | undefined;
  /** What begins at a given weight; the other maps alone have no way back. */
  readonly rightInverse?: (value: Tensor) => Tensor;
  readonly #shape: Shape;

  constructor(map: OrthogonalMap, useTrivialization: boolean, shape: Shape) {
    super();
    this.#shape = shape;
    this.orthogonalMap = map;
    this.useTrivialization = useTrivialization;
    if (useTrivialization || map === 'householder') this.rightInverse = (value) => this.#inverse(value);
  }

  forward(x: Tensor): Tensor {
    const tall = isTall(x);
    const made = this.#map(tall ? x : turned(x));
    const q = this.#base ? matmul(this.#base, made) : made;
    return tall ? q : turned(q);
  }

  get #base(): Tensor | undefined {
    if (this.useTrivialization && !this.base)
      throw new ArgumentError(
        'orthogonal: expected a weight that is not parametrized yet, got one that is; pass { useTrivialization: false }',
      );
    return this.base;
  }

  /** Orthonormal columns of a tall matrix. */
  #map(x: Tensor): Tensor {
    if (this.orthogonalMap === 'householder') {
      // The diagonal holds signs, which are not trained.
      const signs = withoutTape(() => diagonal(x, 0, -2, -1).to('i32').to('f32').unsqueeze(-2));
      return reflected(tril(x, -1)).mul(signs);
    }
    const [n, k] = x.sizes.slice(-2) as [number, number];
    const below = tril(x);
    const square = n === k ? below : cat([below, zeros([...x.sizes.slice(0, -1), n - k])], -1);
    const skew = square.sub(turned(square));
    // (I + A/2)(I − A/2)⁻¹ = 2 (I − A/2)⁻¹ − I
    const q =
      this.orthogonalMap === 'matrixExp'
        ? matrixExp(skew)
        : inverse(eye(n).sub(skew.mul(0.5)))
            .mul(2)
            .sub(eye(n));
    return n === k ? q : narrow(q, -1, 0, k);
  }

  #inverse(value: Tensor): Tensor {
    if (!sameShape(value.sizes, this.#shape))
      throw new ShapeError(
        `orthogonal: expected a tensor ${formatShape(this.#shape)}, got ${formatShape(value.sizes)}`,
      );
    const tall = isTall(value);
    const q = tall ? value : turned(value);
    if (!this.useTrivialization) {
      const x = reflections(q);
      return tall ? x : turned(x);
    }
    const [n, k] = q.sizes.slice(-2) as [number, number];
    const base = n === k && isOrthogonal(q) ? q.clone() : orthonormal(n === k ? q : completed(q, n, k));
    if (this.base) copy_(this.base, base);
    else this.registerBuffer('base', base);
    // Of 0 below and −1 on the diagonal, each map makes the identity.
    return eye(...(value.sizes.slice(-2) as [number, number]))
      .neg()
      .expand(value.shape);
  }
}

/** Columns beside, which make a tall matrix a square one. */
const completed = (q: Tensor, n: number, k: number): Tensor => cat([q, randn([...q.sizes.slice(0, -2), n, n - k])], -1);

/**
 * Has a weight computed that is orthogonal: its columns, or where there are more of them its rows, are orthonormal
 * (PyTorch's `parametrizations.orthogonal`; `parametrizations.weight.original`). Of more than two dims, the last two
 * are matrices. A weight that is not orthogonal becomes Q of its QR decomposition. In compiled functions, `'matrixExp'`
 * gives NaN where the sum of a row's |A| is above 2048.
 * @returns the module
 * @throws ArgumentError; ShapeError below 2 dims
 * @example
 * ```ts
 * const layer = nn.utils.parametrizations.orthogonal(new nn.Linear(4, 4));
 * const { weight } = layer;
 * console.log(weight.matmul(weight.t())); // the identity
 * ```
 */
export const orthogonal = callable<Changes<[name: string, orthogonalMap: OrthogonalMap | null], OrthogonalOptions>>(
  "parametrizations.orthogonal(module: Module, name: string = 'weight', orthogonalMap: 'matrixExp'|'cayley'|'householder'|null = null, *, useTrivialization: bool = true)",
  ((module: Module, name: string, map: OrthogonalMap | null, useTrivialization: boolean) => {
    const weight = (module as unknown as Record<string, unknown>)[name];
    if (!(weight instanceof Tensor))
      throw new ArgumentError(
        `orthogonal: expected the name of a parameter of ${module.constructor.name}, got '${name}'`,
      );
    if (weight.ndim < 2)
      throw new ShapeError(`orthogonal: expected a matrix or a batch of them, got ${formatShape(weight.sizes)}`);
    const [rows, columns] = weight.sizes.slice(-2);
    const chosen = map ?? (rows === columns ? 'matrixExp' : 'householder');
    return registerParametrization(module, name, new Orthogonal(chosen, useTrivialization, weight.shape), {
      unsafe: true,
    });
  }) as never,
);

// Plain f64 arrays with a shape, for references to compute on.

/** Elements of an array of this shape. */
export const numelOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Numbers in row-major order. */
export interface Nd {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function nd(shape: readonly number[], data: ArrayLike<number>): Nd {
  const copy = Float64Array.from(data);
  if (copy.length !== numelOf(shape)) throw new Error(`nd: ${copy.length} numbers for shape [${shape}]`);
  return { shape: [...shape], data: copy };
}

/** Calls `visit` with every index of `shape` in row-major order; the array is reused. */
export function forEachIndex(shape: readonly number[], visit: (index: number[]) => void): void {
  const n = numelOf(shape);
  const index = shape.map(() => 0);
  for (let i = 0; i < n; i++) {
    visit(index);
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d] = (index[d] as number) + 1;
      if ((index[d] as number) < (shape[d] as number)) break;
      index[d] = 0;
    }
  }
}

/** The element at `index`; a dim of size 1 stretches, and missing dims in front are skipped, as in broadcasting. */
export function at(x: Nd, index: readonly number[]): number {
  const { shape, data } = x;
  const lead = index.length - shape.length;
  let position = 0;
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d] as number;
    position = position * size + (size === 1 ? 0 : (index[lead + d] as number));
  }
  return data[position] as number;
}

/** The array with `f(index)` everywhere. */
export function build(shape: readonly number[], f: (index: readonly number[]) => number): Nd {
  const data = new Float64Array(numelOf(shape));
  let i = 0;
  forEachIndex(shape, (index) => {
    data[i++] = f(index);
  });
  return { shape: [...shape], data };
}

/** The shape that all broadcast to, worked out from the definition and not as the library does. */
export function commonShape(...shapes: readonly (readonly number[])[]): number[] {
  const ndim = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: ndim }, (_, d) => {
    const sizes = shapes.map((shape) => shape[d - ndim + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

/** f of the elements of all, broadcast. */
export function zip(f: (...values: number[]) => number, ...xs: readonly Nd[]): Nd {
  const [{ shape }] = xs as [Nd];
  // Most calls stretch nothing, and finite differences make many of them.
  if (xs.every((x) => x.shape.join() === shape.join())) {
    const datas = xs.map(({ data }) => data);
    return { shape, data: (datas[0] as Float64Array).map((_, i) => f(...datas.map((data) => data[i] as number))) };
  }
  return build(commonShape(...xs.map((x) => x.shape)), (index) => f(...xs.map((x) => at(x, index))));
}

/** The numbers along dims `dim … end - 1` at every position of the other dims: f makes a list of as many, or one number. */
function lanes(x: Nd, dim: number, end: number, visit: (lane: number[], positions: number[]) => void): void {
  const outer = numelOf(x.shape.slice(0, dim));
  const r = numelOf(x.shape.slice(dim, end));
  const inner = numelOf(x.shape.slice(end));
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const positions = Array.from({ length: r }, (_, j) => (o * r + j) * inner + i);
      visit(
        positions.map((p) => x.data[p] as number),
        positions,
      );
    }
}

/** One number from each run of dims `dim … end - 1`. */
export function reduceNd(
  x: Nd,
  { dim, end, keepdim }: { readonly dim: number; readonly end: number; readonly keepdim: boolean },
  f: (lane: readonly number[]) => number,
): Nd {
  const values: number[] = [];
  lanes(x, dim, end, (lane) => values.push(f(lane)));
  const shape = x.shape.flatMap((size, d) => (d < dim || d >= end ? [size] : keepdim ? [1] : []));
  return nd(shape, values);
}

/** Each lane along dims `dim … end - 1` of all (same shape) replaced by what f makes of it. */
export function mapLanes(
  f: (...lanes: number[][]) => readonly number[],
  dim: number,
  end: number,
  ...xs: readonly Nd[]
): Nd {
  const [first] = xs as [Nd];
  const data = new Float64Array(first.data.length);
  lanes(first, dim, end, (_, positions) => {
    const result = f(...xs.map((x) => positions.map((p) => x.data[p] as number)));
    positions.forEach((p, j) => {
      data[p] = result[j] as number;
    });
  });
  return { shape: first.shape, data };
}

/** A reduced array in the shape it had before, repeated along the reduced dims. */
export function restoreNd(
  y: Nd,
  shape: readonly number[],
  { dim, end }: { readonly dim: number; readonly end: number },
): Nd {
  const kept = nd(
    shape.map((size, d) => (d >= dim && d < end ? 1 : size)),
    y.data,
  );
  return build(shape, (index) => at(kept, index));
}

/** [..., m, k] · [..., k, n], batch dims broadcast. */
export function matmulNd(a: Nd, b: Nd): Nd {
  const [m, k] = a.shape.slice(-2) as [number, number];
  const n = b.shape.at(-1) as number;
  const batch = commonShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const data = new Float64Array(numelOf(batch) * m * n);
  const positions = (x: Nd): Nd => {
    const lead = x.shape.slice(0, -2);
    return nd(
      lead,
      Array.from({ length: numelOf(lead) }, (_, i) => i),
    );
  };
  const [aBatch, bBatch] = [positions(a), positions(b)];
  let out = 0;
  forEachIndex(batch, (index) => {
    const aFrom = at(aBatch, index) * m * k;
    const bFrom = at(bBatch, index) * k * n;
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++)
          sum += (a.data[aFrom + i * k + p] as number) * (b.data[bFrom + p * n + j] as number);
        data[out++] = sum;
      }
  });
  return { shape: [...batch, m, n], data };
}

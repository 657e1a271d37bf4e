// The QR decomposition of a matrix by Householder's reflections, in f64: for what is decomposed once, at the start.

/** What {@link factors} finds of a matrix [rows, columns], rows >= columns. */
export interface Qr {
  /** Q with orthonormal columns, where R's diagonal is not below 0. */
  readonly q: Float64Array;
  /**
   * The vectors of the reflections, 1 on the diagonal left out; on it the sign by which the product of the reflections
   * (I − 2 v vᵀ / |v|²) gives Q of R's diagonal above 0.
   */
  readonly vectors: Float64Array;
}

/** Takes a reflection of the vector v in column `j` of `vectors` to the columns of `a` from `first` on. */
function reflect(a: Float64Array, vectors: Float64Array, columns: number, j: number, tau: number, first: number): void {
  const rows = a.length / columns;
  for (let c = first; c < columns; c++) {
    let dot = a[j * columns + c] as number;
    for (let i = j + 1; i < rows; i++) dot += (vectors[i * columns + j] as number) * (a[i * columns + c] as number);
    dot *= tau;
    (a[j * columns + c] as number) -= dot;
    for (let i = j + 1; i < rows; i++) (a[i * columns + c] as number) -= dot * (vectors[i * columns + j] as number);
  }
}

/** Decomposes `a` [rows, columns], which it overwrites. */
export function factors(a: Float64Array, rows: number, columns: number): Qr {
  const vectors = new Float64Array(a.length);
  const taus = new Float64Array(columns);
  const signs = new Float64Array(columns);
  for (let j = 0; j < columns; j++) {
    const head = a[j * columns + j] as number;
    let squares = 0;
    for (let i = j + 1; i < rows; i++) squares += (a[i * columns + j] as number) ** 2;
    // As LAPACK's dlarfg: nothing is reflected where nothing stands below, and R's diagonal is of the other sign.
    const beta = squares === 0 ? head : -Math.sign(head || 1) * Math.sqrt(head * head + squares);
    taus[j] = squares === 0 ? 0 : (beta - head) / beta;
    for (let i = j + 1; i < rows && squares > 0; i++)
      vectors[i * columns + j] = (a[i * columns + j] as number) / (head - beta);
    signs[j] = Math.sign(beta);
    reflect(a, vectors, columns, j, taus[j] as number, j);
  }
  const q = new Float64Array(a.length);
  for (let j = columns - 1; j >= 0; j--) {
    q[j * columns + j] = 1;
    reflect(q, vectors, columns, j, taus[j] as number, j);
  }
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < rows; i++) (q[i * columns + j] as number) *= signs[j] as number;
    // A vector of nothing but its 1 reflects, where LAPACK does not.
    vectors[j * columns + j] = (taus[j] === 0 ? -1 : 1) * (signs[j] as number);
  }
  return { q, vectors };
}

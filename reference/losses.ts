// Losses of logits, with their gradients.

/** Softmax of one row. */
export function softmax(row: ArrayLike<number>): Float64Array {
  const { length } = row;
  let max = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < length; j++) max = Math.max(max, row[j] as number);
  const y = Float64Array.from({ length }, (_, j) => Math.exp((row[j] as number) - max));
  const sum = y.reduce((a, b) => a + b, 0);
  return y.map((value) => value / sum);
}

/** −log softmax(row)[target], and its gradient by the row. */
export function crossEntropyOfRow(row: ArrayLike<number>, target: number): [loss: number, gradient: Float64Array] {
  const p = softmax(row);
  const loss = -Math.log(p[target] as number);
  return [loss, p.map((value, j) => value - (j === target ? 1 : 0))];
}

/** The mean over rows of logits [rows, classes], and its gradient. */
export function crossEntropy(logits: Float64Array, target: ArrayLike<number>): [loss: number, gradient: Float64Array] {
  const rows = target.length;
  const classes = logits.length / rows;
  const gradient = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const [loss, own] = crossEntropyOfRow(logits.subarray(i * classes, (i + 1) * classes), target[i] as number);
    sum += loss;
    gradient.set(
      own.map((value) => value / rows),
      i * classes,
    );
  }
  return [sum / rows, gradient];
}

/** The mean of squared differences, and its gradient. */
export function meanSquaredError(y: Float64Array, target: ArrayLike<number>): [loss: number, gradient: Float64Array] {
  const difference = y.map((value, i) => value - (target[i] as number));
  return [difference.reduce((sum, d) => sum + d * d, 0) / y.length, difference.map((d) => (2 * d) / y.length)];
}

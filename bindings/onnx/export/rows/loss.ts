// Losses before reduction.
import { DATA } from '../../messages.ts';
import type { Graph, Value } from '../graph.ts';
import type { Operand, Writers } from '../writers.ts';

/** Where targets count, and the classes, 0 elsewhere. */
function classesOf(g: Graph, target: Value, ignoreIndex: number): { counts: Value; classes: Value } {
  const counts = g.node('Not', [g.equal(target, g.scalar(ignoreIndex, DATA.INT32))]);
  return { counts, classes: g.where(counts, target, g.scalar(0, DATA.INT32)) };
}

const weightsAt = (g: Graph, weight: Value, classes: Value): Value => g.node('Gather', [weight, classes], { axis: 0 });
const negated = (g: Graph, x: Value): Value => g.node('Neg', [x]);

/** −log p of the class of each target along dim 1, times its weight. */
function likelihood(g: Graph, logp: Value, classes: Value, weight: Value | null): Value {
  const picked = g.node('GatherElements', [logp, g.unsqueeze(classes, [1])], { axis: 1 });
  const loss = negated(g, g.squeeze(picked, [1]));
  return weight ? g.mul(loss, weightsAt(g, weight, classes)) : loss;
}

/** Of x near 1 as of any other: log (1 − x) is asked of numbers whose digits are all there. */
const logOf = (g: Graph, x: Value): Value => g.node('Max', [g.node('Log', [x]), g.scalar(-100)]);

const far = (g: Graph, x: Operand, target: Operand): Value => g.node('Abs', [g.sub(x, target)]);

export const lossWriters = {
  crossEntropy: (g, { x, target, weight }, { ignoreIndex, labelSmoothing }) => {
    const { counts, classes } = classesOf(g, target, ignoreIndex);
    const logp = g.node('LogSoftmax', [x], { axis: 1 });
    let loss = likelihood(g, logp, classes, weight);
    if (labelSmoothing > 0) {
      const all = negated(g, g.reduce('ReduceSum', weight ? g.mul(logp, weight) : logp, [1], false));
      const count = x.sizes[1] as number;
      loss = g.add(g.scale(loss, 1 - labelSmoothing), g.scale(all, labelSmoothing / count));
    }
    return g.where(counts, loss, g.scalar(0));
  },
  nll: (g, { logp, target, weight }, { ignoreIndex }) => {
    const { counts, classes } = classesOf(g, target, ignoreIndex);
    return g.where(counts, likelihood(g, logp, classes, weight), g.scalar(0));
  },
  classWeights: (g, { target, weight }, { ignoreIndex }) => {
    const { counts, classes } = classesOf(g, target, ignoreIndex);
    return weight ? g.where(counts, weightsAt(g, weight, classes), g.scalar(0)) : g.cast(counts, DATA.FLOAT);
  },
  bce: (g, { x, target }) => {
    const other = g.mul(g.scale(target, -1, 1), logOf(g, g.scale(x, -1, 1)));
    return negated(g, g.add(g.mul(target, logOf(g, x)), other));
  },
  // (1 − t) x + (1 + (w − 1) t) softplus(−x)
  bceWithLogits: (g, { x, target, posWeight }) => {
    const soft = g.node('Softplus', [negated(g, x)]);
    const factor = posWeight && g.scale(g.mul(g.scale(posWeight, 1, -1), target), 1, 1);
    return g.add(g.mul(g.scale(target, -1, 1), x), factor ? g.mul(factor, soft) : soft);
  },
  smoothL1: (g, { x, target }, { beta }) => {
    const d = far(g, x, target);
    if (beta === 0) return d;
    return g.where(g.less(d, g.scalar(beta)), g.scale(g.mul(d, d), 0.5 / beta), g.scale(d, 1, -0.5 * beta));
  },
  huber: (g, { x, target }, { delta }) => {
    const d = far(g, x, target);
    return g.where(g.less(d, g.scalar(delta)), g.scale(g.mul(d, d), 0.5), g.scale(d, delta, -0.5 * delta * delta));
  },
} satisfies Writers;

// Normalisation.

import { DATA } from '../../messages.ts';
import { float, type Graph, type Value } from '../graph.ts';
import { now, type Size, type Sizes } from '../sizes.ts';
import { type Call, fixedSizes, type Operand, type Writers } from '../writers.ts';

const ones = (g: Graph, count: number): Value => g.constant(new Array<number>(count).fill(1), DATA.FLOAT, [count]);
const zeros = (g: Graph, count: number): Value => g.constant(new Array<number>(count).fill(0), DATA.FLOAT, [count]);

/** A weight of each channel, stretched to x [n, channels, ...]. */
const along = (g: Graph, weight: Value, x: Operand): Value =>
  x.sizes.length === 2
    ? weight
    : g.unsqueeze(
        weight,
        x.sizes.slice(2).map((_, d) => d + 1),
      );

/** (x − mean) / √(variance + eps), of the axes' own. */
function standardised(g: Graph, x: Value, axes: readonly number[], eps: number): Value {
  const rest = g.sub(x, g.reduce('ReduceMean', x, axes, true));
  const spread = g.reduce('ReduceMean', g.mul(rest, rest), axes, true);
  return g.div(rest, g.node('Sqrt', [g.scale(spread, 1, eps)]));
}

function affine(g: Graph, y: Value, weight: Value | null, bias: Value | null): Value {
  const scaled = weight ? g.mul(y, weight) : y;
  return bias ? g.add(scaled, bias) : scaled;
}

const channelsOf = (call: Call, x: Operand): number => call.fixed(x.sizes[1] as Size);

export const normWriters = {
  layerNorm: (g, { x, weight, bias }, { normalizedShape, eps }) => {
    const scale = weight ?? g.constant(new Array<number>(size(normalizedShape)).fill(1), DATA.FLOAT, normalizedShape);
    const attributes = { axis: -normalizedShape.length, epsilon: float(eps) };
    return g.node('LayerNormalization', [x, scale, bias], attributes);
  },
  rmsNorm: (g, { x, weight }, { normalizedShape, eps }) => {
    const rank = x.sizes.length;
    const axes = normalizedShape.map((_, d) => rank - normalizedShape.length + d);
    const square = g.reduce('ReduceMean', g.mul(x, x), axes, true);
    return affine(g, g.div(x, g.node('Sqrt', [g.scale(square, 1, eps)])), weight, null);
  },
  batchNorm: (g, inputs, { training, eps }, call) => {
    const { x, weight, bias, runningMean, runningVariance } = inputs;
    if (training || !runningMean || !runningVariance) {
      const axes = x.sizes.flatMap((_, d) => (d === 1 ? [] : [d]));
      const y = standardised(g, x, axes, eps);
      if (runningMean) call.refuse('running statistics that training updates');
      return affine(g, y, weight && along(g, weight, x), bias && along(g, bias, x));
    }
    const channels = channelsOf(call, x);
    const parameters = [weight ?? ones(g, channels), bias ?? zeros(g, channels), runningMean, runningVariance];
    return g.node('BatchNormalization', [x, ...parameters], { epsilon: float(eps) });
  },
  groupNorm: (g, { x, weight, bias }, { groups, eps }, call) => {
    const [n, ...rest] = x.sizes as [Size, ...Size[]];
    const elements = size(fixedSizes(call, rest));
    const folded = g.reshape(x, [n, groups, elements / groups]);
    // Instances are normalised one by one in runtimes, and channels of one element divided by 0.
    const y = g.reshape(standardised(g, folded, [2], eps), x.sizes);
    return affine(g, y, weight && along(g, weight, x), bias && along(g, bias, x));
  },
} satisfies Writers;

const size = (sizes: Sizes): number => sizes.reduce<number>((product, each) => product * now(each), 1);

// How far one distribution is from another.

import { softplus } from '../functional/activation.ts';
import { add, div, eq, log, logicalOr, lt, mul, neg, square, sub } from '../functional/elementwise.ts';
import { sum } from '../functional/reduction.ts';
import { ArgumentError } from '../memory/errors.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Normal, Uniform } from './continuous.ts';
import { Bernoulli, Categorical } from './discrete.ts';
import { choose, type Distribution } from './distribution.ts';
import { Independent, sumLast } from './independent.ts';

/** p's part of a divergence: infinite where q has no probability, 0 where p has none. */
const part = (p: Tensor, q: Tensor, x: Tensor): Tensor =>
  choose(eq(p, 0), 0, choose(eq(q, 0), Number.POSITIVE_INFINITY, x));

function ofBernoulli(p: Bernoulli, q: Bernoulli): Tensor {
  const less = (x: Tensor): Tensor => add(neg(x), 1);
  const one = mul(p.probs, sub(softplus(neg(q.logits)), softplus(neg(p.logits))));
  const zero = mul(less(p.probs), sub(softplus(q.logits), softplus(p.logits)));
  return add(part(p.probs, q.probs, one), part(less(p.probs), less(q.probs), zero));
}

function ofNormal(p: Normal, q: Normal): Tensor {
  const ratio = square(div(p.scale, q.scale));
  const apart = square(div(sub(p.loc, q.loc), q.scale));
  return mul(sub(add(ratio, apart), add(log(ratio), 1)), 0.5);
}

function ofUniform(p: Uniform, q: Uniform): Tensor {
  const outside = logicalOr(lt(p.low, q.low), lt(q.high, p.high));
  return choose(outside, Number.POSITIVE_INFINITY, log(div(sub(q.high, q.low), sub(p.high, p.low))));
}

/**
 * The Kullback–Leibler divergence ∫ p log(p / q) of two distributions of one kind (PyTorch's `kl_divergence`).
 * @throws ArgumentError for distributions of two kinds
 */
export const klDivergence = callable(
  'klDivergence(p: Distribution, q: Distribution)',
  (p: Distribution, q: Distribution): Tensor => {
    if (p instanceof Normal && q instanceof Normal) return ofNormal(p, q);
    if (p instanceof Uniform && q instanceof Uniform) return ofUniform(p, q);
    if (p instanceof Bernoulli && q instanceof Bernoulli) return ofBernoulli(p, q);
    if (p instanceof Categorical && q instanceof Categorical)
      return sum(part(p.probs, q.probs, mul(p.probs, sub(p.logits, q.logits))), -1);
    if (p instanceof Independent && q instanceof Independent) {
      const dims = p.reinterpretedBatchNdims;
      if (dims !== q.reinterpretedBatchNdims)
        throw new ArgumentError(
          `klDivergence: expected events of as many dims, got ${dims} and ${q.reinterpretedBatchNdims}`,
        );
      return sumLast(klDivergence(p.baseDist, q.baseDist), dims);
    }
    throw new ArgumentError(
      `klDivergence: expected two distributions of one kind, got ${p.constructor.name} and ${q.constructor.name}`,
    );
  },
);

// Distributions of whole numbers.
import { full } from '../creation.ts';
import { asFloat } from '../functional/arguments.ts';
import { add, clamp, div, log, log1p, mul, neg, sigmoid, sub } from '../functional/elementwise.ts';
import { gather } from '../functional/indexing.ts';
import { binaryCrossEntropyWithLogits } from '../functional/loss.ts';
import { argmax, logsumexp, softmax, sum } from '../functional/reduction.ts';
import { multinomial } from '../functional/sampling.ts';
import { ShapeError } from '../memory/errors.ts';
import { bernoulli } from '../random.ts';
import { type Arguments, signature } from '../signature.ts';
import { numelOf, type Shape, type Tensor } from '../tensor.ts';
import { broadcast, Distribution, expectWithin, oneOf } from './distribution.ts';

/** The distance of f32 from 1 to the next number: how near to 0 and 1 probabilities come in logarithms. */
const EPS = 2 ** -23;

/** Options of {@link Bernoulli} and {@link Categorical}: one of the two. */
export interface ProbabilityOptions {
  /** Probabilities; those of {@link Categorical} are weights along the last dim. @defaultValue null */
  probs?: Tensor | number | null;
  /** Their logits, or logarithms of weights. @defaultValue null */
  logits?: Tensor | number | null;
}

const ofBernoulli = signature(
  'Bernoulli(probs: Tensor|number|null = null, logits: Tensor|number|null = null, -validateArgs: bool|null = null)',
);
const ofCategorical = signature(
  'Categorical(probs: Tensor|null = null, logits: Tensor|null = null, -validateArgs: bool|null = null)',
);
/** Probabilities or logits: a tensor, one number, or null where the others are given. */
export type ProbabilityValue = Tensor | number | null;

/** 1 or 0 (PyTorch's `torch.distributions.Bernoulli`). */
export class Bernoulli extends Distribution {
  /** The probabilities of 1. */
  readonly probs: Tensor;
  /** log(probs / (1 − probs)). */
  readonly logits: Tensor;
  /** @internal */
  protected readonly smooth = false;

  /** 1 with a probability, given as it is or as its logit, else 0. @throws ArgumentError */
  constructor(...args: Arguments<[], [probs: ProbabilityValue, logits: ProbabilityValue], ProbabilityOptions>) {
    const [probs, logits] = ofBernoulli.parse(args) as [ProbabilityValue, ProbabilityValue];
    oneOf('Bernoulli', probs, logits);
    const [x] = broadcast('Bernoulli', (probs ?? logits) as Tensor) as [Tensor];
    super(x.shape);
    if (probs !== null) {
      expectWithin('Bernoulli', 'probabilities', x, 0, 1);
      const inside = clamp(x, EPS, 1 - EPS);
      this.logits = sub(log(inside), log1p(neg(inside)));
    } else this.logits = x;
    this.probs = probs !== null ? x : sigmoid(x);
  }

  get mean(): Tensor {
    return this.probs;
  }

  get variance(): Tensor {
    return mul(this.probs, add(neg(this.probs), 1));
  }

  /** @internal */
  protected draw(shape: Shape): Tensor {
    return bernoulli(this.probs.expand(shape));
  }

  /** @internal */
  protected density(value: Tensor): Tensor {
    const [logits, target] = broadcast('logProb', this.logits, asFloat(value)) as [Tensor, Tensor];
    return neg(binaryCrossEntropyWithLogits(logits, target, { reduction: 'none' }));
  }

  /** @internal */
  protected uncertainty(): Tensor {
    return binaryCrossEntropyWithLogits(this.logits, this.probs, { reduction: 'none' });
  }
}

/** Classes by their weights (PyTorch's `torch.distributions.Categorical`). */
export class Categorical extends Distribution {
  /** The probabilities [..., classes], which add up to 1. */
  readonly probs: Tensor;
  /** Their logarithms [..., classes]. */
  readonly logits: Tensor;
  /** @internal */
  protected readonly smooth = false;

  /**
   * Classes 0, 1, … by weights [..., classes], or by logarithms of weights.
   * @throws ArgumentError for weights below 0
   */
  constructor(...args: Arguments<[], [probs: Tensor | null, logits: Tensor | null], ProbabilityOptions>) {
    const [probs, logits] = ofCategorical.parse(args) as [Tensor | null, Tensor | null];
    oneOf('Categorical', probs, logits);
    const x = (probs ?? logits) as Tensor;
    if (x.ndim === 0) throw new ShapeError('Categorical: expected weights [..., classes], got a single number');
    super(x.shape.slice(0, -1));
    if (probs) {
      expectWithin('Categorical', 'weights', probs, 0, 3e38);
      this.probs = div(probs, sum(probs, -1, true));
      this.logits = log(clamp(this.probs, EPS, 1 - EPS));
    } else {
      this.logits = sub(x, logsumexp(x, -1, true));
      this.probs = softmax(this.logits, -1);
    }
  }

  /** NaN: classes have no mean. */
  get mean(): Tensor {
    return full(this.batchShape, Number.NaN);
  }

  /** NaN: classes have no variance. */
  get variance(): Tensor {
    return full(this.batchShape, Number.NaN);
  }

  /** The class of the largest probability. */
  get mode(): Tensor {
    return argmax(this.probs, -1);
  }

  /** @internal */
  protected draw(shape: Shape): Tensor {
    const classes = this.probs.shape.at(-1) as number;
    const before = shape.slice(0, shape.length - this.batchShape.length);
    const rows = this.probs.reshape([numelOf(this.batchShape), classes]);
    const drawn = multinomial(rows, Math.max(1, numelOf(before)), true).t();
    return drawn.slice(0, 0, numelOf(before)).reshape(shape);
  }

  /** @internal */
  protected density(value: Tensor): Tensor {
    const [classes] = broadcast('logProb', value, full(this.batchShape, 0)) as [Tensor];
    const logits = this.logits.expand([...classes.shape, this.logits.shape.at(-1) as number]);
    return gather(logits, -1, classes.unsqueeze(-1).contiguous()).squeeze(-1);
  }

  /** @internal */
  protected uncertainty(): Tensor {
    return neg(sum(mul(clamp(this.logits, -3.4028234663852886e38), this.probs), -1));
  }
}

// What all distributions are: parameters of one shape, numbers drawn, and their probabilities.
import { familyOps, withoutTape } from '../autograd.ts';
import { full } from '../creation.ts';
import { sqrt, where } from '../functional/elementwise.ts';
import { kinds } from '../kinds.ts';
import { ArgumentError, GradError, named } from '../memory/errors.ts';
import { broadcastShapes } from '../ops/shapes.ts';
import { withinRows } from '../ops/within.ts';
import { type Arguments, methods } from '../signature.ts';
import { type Shape, Tensor } from '../tensor.ts';

/** Options of {@link Distribution.sample} and {@link Distribution.rsample}. */
export interface SampleOptions {
  /** The dims of samples in front of those of the parameters. @defaultValue [] */
  sampleShape?: Shape;
}

/** The parameters as tensors of their common shape. @throws ShapeError */
export function broadcast(op: string, ...parameters: readonly (Tensor | number)[]): Tensor[] {
  const tensors = parameters.map((x) => (x instanceof Tensor ? x : full([], x)));
  const shape = broadcastShapes(op, ...tensors.map((x) => x.sizes));
  return tensors.map((x) => (x.ndim === shape.length && x.size === 0 ? x : x.expand(shape)));
}

/** Base class of the distributions (PyTorch's `torch.distributions.Distribution`). */
export abstract class Distribution {
  /** The shape of the parameters: so many distributions there are. */
  readonly batchShape: Shape;
  /** The shape of one number that is drawn. */
  readonly eventShape: Shape;

  /** @internal */
  constructor(batchShape: Shape, eventShape: Shape = []) {
    this.batchShape = [...batchShape];
    this.eventShape = [...eventShape];
  }

  /** The mean. */
  abstract get mean(): Tensor;
  /** The variance. */
  abstract get variance(): Tensor;

  /** The standard deviation. */
  get stddev(): Tensor {
    return sqrt(this.variance);
  }

  /** Numbers [...sampleShape, ...batchShape, ...eventShape] that are drawn; nothing flows back through them. */
  sample(...args: Arguments<[], [sampleShape: Shape], SampleOptions>): Tensor;
  sample(sampleShape: Shape): Tensor {
    return withoutTape(() => this.draw([...sampleShape, ...this.batchShape, ...this.eventShape]));
  }

  /**
   * Numbers [...sampleShape, ...batchShape] that are drawn as a function of the parameters, which get gradients.
   * @throws GradError where the numbers are whole
   */
  rsample(...args: Arguments<[], [sampleShape: Shape], SampleOptions>): Tensor;
  rsample(sampleShape: Shape): Tensor {
    if (!this.smooth)
      throw new GradError(
        `rsample: expected a distribution with gradients of its samples, got ${this.constructor.name}; draw by sample(), and weigh logProb()`,
      );
    return this.draw([...sampleShape, ...this.batchShape, ...this.eventShape]);
  }

  /** The logarithm of the probability, or of the density, at `value`. @throws ShapeError */
  logProb(value: Tensor): Tensor {
    return this.density(value);
  }

  /** The entropy, in nats. */
  entropy(): Tensor {
    return this.uncertainty();
  }

  /** Whether samples are functions of the parameters. @internal */
  protected abstract readonly smooth: boolean;
  /** @internal */
  protected abstract draw(shape: Shape): Tensor;
  /** @internal */
  protected abstract density(value: Tensor): Tensor;
  /** @internal */
  protected abstract uncertainty(): Tensor;

  static {
    methods(
      Distribution,
      'Distribution',
      'sample(sampleShape: int[] = [])',
      'rsample(sampleShape: int[] = [])',
      'logProb(value: Tensor)',
      'entropy()',
    );
  }
}

kinds.Distribution = [(x) => x instanceof Distribution, 'a distribution'];

/** `x` where the mask is not 0, else `other`; no gradient flows to what is left out. */
export const choose = (mask: Tensor, x: Tensor | number, other: Tensor | number): Tensor => where(mask, x, other);

const checkOps = familyOps(withinRows);

/** @throws ArgumentError in the name of `op`, unless all of x lies in low … high */
export function expectWithin(op: string, what: string, x: Tensor, low: number, high: number): void {
  try {
    checkOps.within({ x }, { low, high, what });
  } catch (error) {
    throw named(error, op);
  }
}

/** One of two parameters that say the same. @throws ArgumentError unless one of them is given */
export function oneOf<A, B>(op: string, probs: A | null, logits: B | null): void {
  if ((probs === null) === (logits === null))
    throw new ArgumentError(`${op}: expected probs or logits, got ${probs === null ? 'neither' : 'both'}`);
}

// What a network of networks.py is here: a model, a step, and what follows it.
import { functional as F, type nn, optim, type Tensor } from '../../../bindings/index.ts';

/** Of one step: what the model gives, and the loss. */
export type Answer = [output: Tensor, loss: Tensor];
export interface Training {
  readonly model: nn.Module;
  readonly step: (...inputs: never[]) => Answer;
  /** What is no part of a compiled step: schedules. */
  readonly after?: (loss: number) => void;
  /** Is not for compile(). */
  readonly eager?: boolean;
}
export type Networks = Record<string, () => Training>;

/** The loop that most of them have. */
export function train(
  model: nn.Module,
  optimizer: optim.Optimizer,
  answer: (...inputs: never[]) => Answer,
  schedule?: optim.lrScheduler.LRScheduler,
  clip?: number,
): Training {
  return {
    model,
    step: (...inputs: never[]) => {
      optimizer.zeroGrad();
      const [output, loss] = answer(...inputs);
      loss.backward();
      if (clip) optim.clipGradNorm(model.parameters(), clip);
      optimizer.step();
      return [output, loss];
    },
    after: () => schedule?.step(),
  };
}

/** The loss of a classifier. */
export const classify =
  (model: nn.Module & { forward(x: Tensor): Tensor }, loss = F.crossEntropy as (x: Tensor, y: Tensor) => Tensor) =>
  (x: Tensor, y: Tensor): Answer => {
    const logits = model.forward(x);
    return [logits, loss(logits, y)];
  };

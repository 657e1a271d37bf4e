// All optimizers of the namespace, and what tests of them share.
import { optim, type Tensor } from '../../bindings/index.ts';
import { imageOf, numbered } from './failures.ts';

export const SHAPE = [3, 4];
export const leaves = (count = 3): Tensor[] =>
  Array.from({ length: count }, (_, i) => numbered(SHAPE, i).requiresGrad_());
export const giveGradients = (ps: readonly Tensor[]): void =>
  ps.forEach((p, i) => {
    p.grad = numbered(SHAPE, 10 + i);
  });

export type Settings = Record<string, unknown>;
export type Any = optim.Optimizer<object>;
export type Make = new (params: unknown, options?: Settings) => Any;
/** Every optimizer that there is, but L-BFGS, which has no groups and no steps of parameters. */
export const optimizers = Object.entries(optim).filter(
  ([name, value]) =>
    name !== 'Optimizer' && name !== 'LBFGS' && (value as { prototype?: unknown }).prototype instanceof optim.Optimizer,
) as unknown as [string, Make][];
/** Options that make an optimizer keep all the state that it can. */
const MOST: Record<string, Settings> = {
  SGD: { momentum: 0.9, nesterov: true },
  Adam: { amsgrad: true },
  AdamW: { amsgrad: true },
  RMSprop: { momentum: 0.9, centered: true },
  Adagrad: { initialAccumulatorValue: 1 },
  Adadelta: {},
  Adafactor: {},
  Adamax: {},
  ASGD: { t0: 0 },
  LAMB: {},
  Lion: {},
  Muon: {},
  NAdam: {},
  RAdam: {},
  Rprop: {},
};
export const most = (name: string): Settings => {
  const options = MOST[name];
  if (!options) throw new Error(`${name}: expected its options in MOST, got none; add them`);
  return options;
};

export const first = (optimizer: Any): Settings & { params: unknown[] } =>
  optimizer.paramGroups[0] as unknown as Settings & { params: unknown[] };
export const stateOf = (optimizer: Any): Tensor[] =>
  Object.values(optimizer.stateDict().state).flatMap((own) => Object.values(own) as Tensor[]);
const settingsOf = (optimizer: Any): string =>
  JSON.stringify(optimizer.paramGroups.map((group) => ({ ...group, params: group.params.length })));
export const whole = (optimizer: Any, ps: readonly Tensor[]): unknown => [
  imageOf(ps),
  imageOf(stateOf(optimizer)),
  settingsOf(optimizer),
];

/** An optimizer with all the state that it can have, after one step, and gradients for the next. */
export function stepped(name: string, Make: Make, ps: readonly Tensor[]): Any {
  const optimizer = new Make(ps, most(name));
  giveGradients(ps);
  optimizer.step();
  giveGradients(ps);
  return optimizer;
}

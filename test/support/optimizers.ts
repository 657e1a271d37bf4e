// All optimizers of the namespace, and what tests of them share.
import { arange, functional as F, optim, Tensor, zeros } from '../../bindings/index.ts';
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
/** A sparse gradient of all the rows of a dense one. */
export function sparseOf(dense: Tensor): Tensor {
  const table = zeros(dense.shape).requiresGrad_();
  const rows = F.embedding(arange(dense.shape[0] as number, { dtype: 'i32' }), table, { sparse: true });
  rows.mul(dense).sum().backward();
  return table.grad as Tensor;
}

const isDense = (g: unknown, { shape }: Tensor): g is Tensor =>
  g instanceof Tensor &&
  !(g.isSparse || g.block.freed) &&
  g.dtype === 'f32' &&
  g.isContiguous() &&
  g.shape.join() === shape.join();

/** SparseAdam with the dense gradients that all others are given. */
class Sparse extends optim.SparseAdam {
  // biome-ignore lint/suspicious/noExplicitAny: as that of Optimizer
  override step(closure?: () => unknown): any {
    const convert = (): void => {
      for (const p of this.paramGroups.flatMap(({ params }) => params))
        if (p instanceof Tensor && isDense(p.grad, p)) p.grad = sparseOf(p.grad);
    };
    if (closure) return super.step(() => [closure(), convert()][0]);
    convert();
    super.step();
  }
}

/** Every optimizer that there is, but L-BFGS, which has no groups and no steps of parameters. */
export const optimizers = Object.entries(optim)
  .filter(
    ([name, value]) =>
      name !== 'Optimizer' &&
      name !== 'LBFGS' &&
      (value as { prototype?: unknown }).prototype instanceof optim.Optimizer,
  )
  .map(([name, value]) => [name, name === 'SparseAdam' ? Sparse : value]) as unknown as [string, Make][];
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
  SparseAdam: {},
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

// What every way to explain a model leaves behind: nothing. And what each takes and refuses.
import { afterAll, describe, expect, it } from 'vitest';
import { runtime } from '../../bindings/engine/engine.ts';
import * as explain from '../../bindings/explain/index.ts';
import {
  ArgumentError,
  DtypeError,
  GradError,
  init,
  nn,
  noGrad,
  ones,
  randn,
  ShapeError,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { evaluated, methods } from './methods.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

const make = (): nn.Sequential =>
  new nn.Sequential(
    ...[new nn.Conv2d(1, 3, 3, { padding: 1 }), new nn.BatchNorm2d(3), new nn.ReLU(), new nn.Flatten()],
    ...[new nn.Linear(75, 4)],
  );

/** All that could tell that something ran. */
const stateOf = (model: nn.Module): unknown => [
  model.modules().map(({ training }) => training),
  model.parameters().map((p) => [p.grad?.toArray(), p.requiresGrad]),
  Object.values(model.stateDict()).map((x) => Array.from(x.data)),
];

describe.each(Object.entries(methods))('%s', (name, run) => {
  it('leaves the model, the inputs and the memory as they were', () => {
    const model = make();
    const x = randn([3, 1, 5, 5]).requiresGrad_();
    model.forward(x).sum().backward();
    (model.children()[4] as nn.Module).eval();
    if (evaluated.has(name)) model.eval();
    const before = stateOf(model);
    const kept = x.grad?.toArray();
    const saved = model.forward(x).sum(); // a graph of the user's that is still to be walked
    const state = stateOf(model);
    if (!evaluated.has(name)) expect(state).not.toEqual(before); // running means moved
    scope(() => void run(model, x));
    const { arena } = runtime();
    const used = arena.used;
    scope(() => void run(model, x));
    expect(arena.used).toBe(used);
    expect(stateOf(model)).toEqual(state);
    expect(x.grad?.toArray()).toEqual(kept);
    saved.backward();
  });

  it('gives what has no history, also inside of noGrad()', () => {
    const model = make().eval();
    const x = randn([2, 1, 5, 5]);
    const list = (found: unknown): Tensor[] => [found].flat(2) as Tensor[];
    for (const each of list(noGrad(() => run(model, x)))) {
      expect(each.requiresGrad).toBe(false);
      expect(each.data.every(Number.isFinite)).toBe(true);
    }
  });
});

const linear = (): nn.Linear => new nn.Linear(3, 2);
const refused: [what: string, error: new (...args: never[]) => Error, says: RegExp, run: () => unknown][] = [
  ['a target beyond', ArgumentError, /below 2.*got 5/, () => explain.saliency(linear(), ones([1, 3]), { target: 5 })],
  [
    'too few targets',
    ArgumentError,
    /2 targets.*got 1/,
    () => explain.saliency(linear(), ones([2, 3]), { target: [0] }),
  ],
  [
    'targets with fractions',
    ArgumentError,
    /whole numbers/,
    () => explain.saliency(linear(), ones([1, 3]), { target: ones([1]) }),
  ],
  ['no samples', ShapeError, /at least one sample/, () => explain.saliency(linear(), ones([0, 3]))],
  [
    'inputs of other lengths',
    ShapeError,
    /\[1, 3\] and \[2, 3\]/,
    () => explain.saliency(linear(), [ones([1, 3]), ones([2, 3])]),
  ],
  [
    'whole numbers',
    DtypeError,
    /embedding/,
    () => explain.saliency((x: Tensor) => x.to('f32'), tensor([[1, 2]], { dtype: 'i32' }), { target: 0 }),
  ],
  [
    'an output without history',
    GradError,
    /depends on the inputs/,
    () => explain.saliency((x: Tensor) => x.detach(), ones([1, 3])),
  ],
  [
    'an output of more dims',
    ShapeError,
    /function as target/,
    () => explain.saliency((x: Tensor) => x, ones([2, 3, 4])),
  ],
  ['no tensor', ArgumentError, /gives a tensor/, () => explain.saliency((() => 1) as never, ones([2, 3]))],
  ['an output of one number', ShapeError, /\[2, …\]/, () => explain.saliency((x: Tensor) => x.sum(), ones([2, 3]))],
  [
    'a baseline that is too wide',
    ShapeError,
    /broadcasts/,
    () => explain.integratedGradients(linear(), ones([2, 3]), { baseline: ones([4]) }),
  ],
  [
    'baselines for others',
    ArgumentError,
    /1 baselines/,
    () => explain.integratedGradients(linear(), ones([2, 3]), { baseline: [0, 1] }),
  ],
  ['no steps', ArgumentError, /nSteps >= 1/, () => explain.integratedGradients(linear(), ones([2, 3]), { nSteps: 0 })],
  [
    'no batch',
    ArgumentError,
    /internalBatchSize >= 1/,
    () => explain.saliency(linear(), ones([2, 3]), { internalBatchSize: 0 }),
  ],
  [
    'no method',
    ArgumentError,
    /'retrograd\/explain'/,
    () => explain.attribute(linear(), ones([2, 3]), { method: 'saliency' as never }),
  ],
  [
    'another kind of noise',
    ArgumentError,
    /smoothgradSq/,
    () => explain.noiseTunnel(linear(), ones([2, 3]), { ntType: 'x' as never }),
  ],
];
it.each(refused)('refuses %s', (_, error, says, run) => {
  expect(run).toThrow(error);
  expect(run).toThrow(says);
});

// The doctor: that it leaves no trace in what it watches, and what it says.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watch } from '../../bindings/doctor/index.ts';
import * as rg from '../../bindings/index.ts';
import {
  compile,
  functional as F,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  scope,
  type Tensor,
} from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

/** What a training leaves: weights, running statistics, the state of the generator. @param watched by a doctor */
async function train(watched: boolean, compiled: boolean): Promise<unknown[]> {
  manualSeed(3);
  const [x, y] = [randn([64, 6]), randint(0, 3, [64])];
  const model = new nn.Sequential(
    new nn.Linear(6, 16),
    new nn.BatchNorm1d(16),
    new nn.ReLU(),
    new nn.Dropout(0.3),
    new nn.Linear(16, 3),
  );
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 });
  const body = (input: Tensor, target: Tensor): [Tensor, Tensor] => {
    optimizer.zeroGrad();
    const output = model.forward(input);
    const loss = F.crossEntropy(output, target);
    loss.backward();
    optimizer.step();
    return [loss, output];
  };
  const step = compiled ? compile(body) : body;
  const train = [[x, y]] as const;
  const doctor = watched ? watch(model, optimizer, { loss: F.crossEntropy, train, validation: train, every: 5 }) : null;
  const losses: number[] = [];
  for (let i = 0; i < 22; i++) {
    scope(() => {
      const [loss, output] = step(x, y);
      losses.push(loss.item());
      doctor?.step(loss, { input: x, target: y, output });
    });
    if (i === 16) await doctor?.report();
  }
  await doctor?.report();
  doctor?.close();
  const state = Object.values(model.stateDict()).map(bits);
  return [losses, state, [...rg.getRngState()], model.training, model.parameters().map((p) => p.grad && bits(p.grad))];
}

describe.each([1, 2])('the doctor, %i threads', (threads) => {
  beforeAll(() => rg.init({ simd: 'strict', threads }));
  afterAll(() => rg.shutdown());

  it.each([
    ['eager', false],
    ['compiled', true],
  ])('leaves no trace in %s steps, reports included', async (_, compiled) => {
    expect(await train(true, compiled)).toEqual(await train(false, compiled));
  });

  it.skipIf(threads > 1).each([1e-2, 1e-6])('keeps no memory of reports, at a learning rate of %d', async (lr) => {
    manualSeed(5);
    const [x, y] = [randn([128, 6]), randint(0, 3, [128])];
    const model = new nn.Sequential(new nn.Linear(6, 16), new nn.ReLU(), new nn.Linear(16, 3));
    const optimizer = new optim.Adam(model.parameters(), { lr });
    const doctor = watch(model, optimizer, { loss: F.crossEntropy, train: [[x, y]] });
    for (let i = 0; i < 25; i++)
      scope(() => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        doctor.step(loss, { input: x, target: y });
      });
    await doctor.report();
    const { used, blocks } = rg.backend().memory;
    for (let i = 0; i < 2; i++) await doctor.report();
    expect(rg.backend().memory).toMatchObject({ used, blocks });
    doctor.close();
  });

  it('keeps a few MiB of wide batches, and nothing once it is closed', () => {
    const width = 25_600;
    const [x, y] = [randn([64, width]), randint(0, 2, [64])];
    const model = new nn.Linear(width, 2);
    const optimizer = new optim.SGD(model.parameters(), { lr: 1e-4 });
    const turn = (): Tensor => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(x), y);
      loss.backward();
      optimizer.step();
      return loss;
    };
    scope(() => void turn());
    const { used } = rg.backend().memory;
    const doctor = watch(model, optimizer, { loss: F.crossEntropy });
    for (let i = 0; i < 12; i++) scope(() => doctor.step(turn(), { input: x, target: y }));
    // Batches that are 100 MiB together; beside them the doctor has the weights twice.
    expect(rg.backend().memory.used - used).toBeLessThan(6 << 20);
    doctor.close();
    expect(rg.backend().memory.used).toBeLessThanOrEqual(used);
  });
});

describe('the doctor', () => {
  beforeAll(() => rg.init({ simd: 'strict', threads: 1 }));
  afterAll(() => rg.shutdown());

  it.each([1, 4])('takes no gradients that add up over %i batches for forgotten', async (parts) => {
    manualSeed(2);
    const [x, y] = [randn([64, 6]), randint(0, 3, [64])];
    const model = new nn.Sequential(new nn.Linear(6, 16), new nn.ReLU(), new nn.Linear(16, 3));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
    const doctor = watch(model, optimizer, { loss: F.crossEntropy });
    for (let i = 0; i < 60; i++)
      scope(() => {
        const [input, target] = [x.narrow(0, (i % 4) * 16, 16), y.narrow(0, (i % 4) * 16, 16)];
        const loss = F.crossEntropy(model.forward(input), target);
        loss.backward();
        if (i % parts === parts - 1) optimizer.step();
        if (i % parts === parts - 1 && parts > 1) optimizer.zeroGrad();
        doctor.step(loss, { input, target });
      });
    const ids = (await doctor.report()).findings.map(({ id }) => id);
    doctor.close();
    expect(ids.includes('forgotten-zero-grad')).toBe(parts === 1);
    expect(ids).not.toContain('weights-never-change');
  });

  it.each([
    ['in a loss by hand', (o: Tensor, y: Tensor) => F.nllLoss(F.logSoftmax(F.softmax(o, 1), 1), y), F.nllLoss],
    ['inside of a loss', (o: Tensor, y: Tensor) => F.crossEntropy(F.softmax(o, 1), y), null],
  ])('finds a second softmax %s', async (_, loss, declared) => {
    manualSeed(2);
    const [x, y] = [randn([64, 6]), randint(0, 3, [64])];
    const model = new nn.Linear(6, 3);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
    const doctor = watch(model, optimizer, { loss: (declared ?? loss) as never });
    for (let i = 0; i < 12; i++)
      scope(() => {
        optimizer.zeroGrad();
        const value = loss(model.forward(x), y);
        value.backward();
        optimizer.step();
        doctor.step(value, { input: x, target: y });
      });
    const { findings } = await doctor.report();
    doctor.close();
    expect(findings.map(({ id }) => id)).toContain('softmax-twice');
  });
});

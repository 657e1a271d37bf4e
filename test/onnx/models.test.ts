// Models that PyTorch exports: they give its numbers, train as it trains them, and compile.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  functional as F,
  init,
  nn,
  noGrad,
  optim,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { loadOnnx, type OnnxModule } from '../../bindings/onnx/index.ts';

interface Row {
  readonly name: string;
  readonly model: string;
  readonly x: readonly number[];
  readonly shape: readonly number[];
  readonly tokens: boolean;
  readonly target: readonly number[];
  readonly y: readonly number[];
  readonly losses: readonly number[];
  readonly y_trained: readonly number[];
  readonly parameters: readonly string[];
}

const rows: Row[] = JSON.parse(readFileSync(new URL('models.json', import.meta.url), 'utf8'));
const bytesOf = ({ model }: Row): Uint8Array => new Uint8Array(Buffer.from(model, 'base64'));
const inputOf = ({ x, shape, tokens }: Row): Tensor => tensor([...x], { shape, dtype: tokens ? 'i32' : 'f32' });

/** The greatest gap, as a part of the greatest number. */
function gap(x: Tensor | readonly number[], y: readonly number[]): number {
  const numbers = Array.isArray(x) ? (x as number[]) : Array.from((x as Tensor).data);
  expect(numbers.length).toBe(y.length);
  const most = Math.max(...y.map(Math.abs));
  return Math.max(...numbers.map((value, i) => Math.abs(value - (y[i] as number)))) / most;
}

beforeAll(() => init({ threads: 1 }));
afterAll(() => shutdown());

describe.each(rows)('$name', (row) => {
  const load = (): Promise<OnnxModule> => loadOnnx(bytesOf(row));
  const target = (): Tensor => tensor([...row.target], { dtype: 'i32' });

  it('gives the numbers of PyTorch in evaluation', async () => {
    const model = (await load()).eval();
    expect(gap(model.forward(inputOf(row)), row.y)).toBeLessThan(1e-5);
    expect(
      gap(
        noGrad(() => model.forward(inputOf(row))),
        row.y,
      ),
    ).toBeLessThan(1e-5);
  });

  it('gives the same for one sample as for a batch', async () => {
    const model = (await load()).eval();
    const first = model.forward(inputOf(row).narrow(0, 0, 1));
    expect(gap(first, row.y.slice(0, first.size))).toBeLessThan(1e-4);
  });

  it.each([
    ['eager', false],
    ['compiled', true],
  ] as const)('trains as PyTorch does, %s', async (_, compiled) => {
    const model = (await load()).train();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.03, momentum: 0.9 });
    const step = (x: Tensor, y: Tensor): Tensor => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(x), y);
      loss.backward();
      optimizer.step();
      return loss;
    };
    const run = compiled ? compile(step) : step;
    const losses = row.losses.map(() => run(inputOf(row), target()).item());
    expect(gap(losses, row.losses)).toBeLessThan(1e-4);
    expect(gap(model.eval().forward(inputOf(row)), row.y_trained)).toBeLessThan(1e-4);
  });

  it('compiles to the bits of eager mode', async () => {
    const model = (await load()).eval();
    const x = inputOf(row);
    const infer = compile((input: Tensor) => model.forward(input));
    expect(infer(x).data).toEqual(model.forward(x).data);
  });
});

describe('parameters', () => {
  const named = (name: string): Row => rows.find((row) => row.name === name) as Row;

  it("have PyTorch's names where the exporter keeps them", async () => {
    for (const name of ['mlp', 'cnn', 'lstm']) {
      const model = await loadOnnx(bytesOf(named(name)));
      expect(
        model
          .namedParameters()
          .map(([key]) => key)
          .sort(),
      ).toEqual([...named(name).parameters].sort());
    }
  });

  it('are saved and loaded, with the statistics of batch norm', async () => {
    const row = named('cnn');
    const [trained, fresh] = [await loadOnnx(bytesOf(row)), (await loadOnnx(bytesOf(row))).eval()];
    for (let i = 0; i < 3; i++) trained.train().forward(inputOf(row));
    noGrad(() => trained.parameters().forEach((p) => void p.mul_(1.5)));
    const before = fresh.forward(inputOf(row)).data;
    fresh.loadStateDict(trained.stateDict());
    const after = fresh.forward(inputOf(row)).data;
    expect(after).toEqual(trained.eval().forward(inputOf(row)).data);
    expect(after).not.toEqual(before);
    expect(Object.keys(trained.stateDict())).toContain('bn1.running_mean');
  });

  it('stay as they are where they are frozen, below a new head', async () => {
    const row = named('mlp');
    const whole = await loadOnnx(bytesOf(row));
    const inner = '/1/Tanh_output_0';
    const body = await loadOnnx(bytesOf(row), { outputs: [inner], freeze: true });
    expect(body.namedParameters().map(([key]) => key)).toEqual(['0.weight', '0.bias']);
    expect(body.outputs.map(({ name }) => name)).toEqual([inner]);
    const model = new nn.Sequential(body, new nn.Linear(8, 2));
    const trained = model.parameters().filter(({ requiresGrad }) => requiresGrad);
    expect(trained.length).toBe(2);
    const optimizer = new optim.SGD(trained, 0.1);
    F.crossEntropy(model.forward(inputOf(row)), tensor([0, 1, 0, 1, 0], { dtype: 'i32' })).backward();
    optimizer.step();
    expect(body.getParameter('0.weight').grad).toBeNull();
    expect(body.getParameter('0.weight').data).toEqual(whole.getParameter('0.weight').data);
  });

  it('leave no memory behind when they are disposed of', async () => {
    const { backend } = await import('../../bindings/index.ts');
    const used = (): number => backend().memory.used;
    const row = named('attention');
    const before = used();
    const model = (await loadOnnx(bytesOf(row))).eval();
    const x = inputOf(row);
    noGrad(() => model.forward(x)).dispose();
    model.dispose();
    x.dispose();
    expect(used()).toBe(before);
  });
});

// What watching costs: compiled steps of an MLP and a CNN with a doctor at every tenth step, and without, in turn.
import { compile, functional as F, manualSeed, nn, optim, randint, randn, scope, type Tensor } from 'retrograd';
import { watch } from 'retrograd/doctor';

const EVERY = 10;

const layersOf = {
  'MLP 784-128-10, batch of 64': () => ({
    model: new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10)),
    shape: [784],
  }),
  'CNN of two convolutions, batch of 64': () => ({
    model: new nn.Sequential(
      new nn.Conv2d(1, 16, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(16, 32, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(32 * 7 * 7, 10),
    ),
    shape: [1, 28, 28],
  }),
};

/** A loop that goes on by some steps, and tells the processor time in milliseconds. @param watched by a doctor */
function loopOf(name: keyof typeof layersOf, watched: boolean): { advance(steps: number): number; last(): number } {
  manualSeed(1);
  const { model, shape } = layersOf[name]();
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-4 });
  const batches = Array.from({ length: 8 }, () => [randn([64, ...shape]), randint(0, 10, [64])] as const);
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy((model as { forward(x: Tensor): Tensor }).forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const doctor = watched
    ? watch(model, optimizer, { loss: F.crossEntropy, every: EVERY, train: batches, validation: batches.slice(0, 2) })
    : null;
  let at = 0;
  let loss = Number.NaN;
  return {
    advance(steps) {
      const start = process.cpuUsage();
      for (let i = 0; i < steps; i++)
        scope(() => {
          const [input, target] = batches[at++ % batches.length] as readonly [Tensor, Tensor];
          const value = step(input, target);
          loss = value.item();
          doctor?.step(value, { input, target });
        });
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    },
    last: () => loss,
  };
}

/** Rounds of ten steps, as many of each network as take some seconds. */
const ROUNDS: Readonly<Record<keyof typeof layersOf, number>> = {
  'MLP 784-128-10, batch of 64': 10,
  'CNN of two convolutions, batch of 64': 1,
};

/** One line a network. @param scale of rounds of ten steps each, after a hundred that warm up */
export function overhead(scale: number): string {
  const lines = Object.keys(layersOf).map((name) => {
    const sides = [false, true].map((watched) => loopOf(name as keyof typeof layersOf, watched));
    const [plain, watched] = sides as [(typeof sides)[0], (typeof sides)[0]];
    const rounds = scale * ROUNDS[name as keyof typeof layersOf];
    for (const side of sides) side.advance(100);
    let [best, sum] = [
      [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
      [0, 0],
    ];
    for (let round = 0; round < rounds; round++) {
      const times = sides.map((side) => side.advance(EVERY));
      best = best.map((time, i) => Math.min(time, times[i] as number));
      sum = sum.map((time, i) => time + (times[i] as number));
    }
    if (plain.last() !== watched.last()) throw new Error(`${name}: expected the same loss with a doctor, got another`);
    const share = ([a = 1, b = 1]: readonly number[]): string => `${(100 * (b / a - 1)).toFixed(1)} %`;
    const each = best.map((time) => `${((1000 * time) / EVERY).toFixed(0)} µs`);
    return `${name}: ${each[0]} a step, ${each[1]} watched, ${share(best)} more; in all of ${EVERY * rounds} steps ${share(sum)}`;
  });
  return lines.join('\n');
}

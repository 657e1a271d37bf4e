// Trains small networks of every kind and returns hashes of their weights: the strict build has the same on every
// engine, with any number of threads. The first line is rewritten for require() and for a script tag.
import {
  backend,
  compile,
  concat,
  data,
  functional as F,
  init,
  io,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  shutdown,
  tensor,
  zeros,
} from 'retrograd';

/** FNV-1a of the weights as a file holds them. */
function hashOf(model) {
  const state = Object.entries(model.stateDict()).map(([name, x]) => [
    name,
    { dtype: x.dtype, shape: x.shape, data: x.data },
  ]);
  let hash = 0x811c9dc5;
  for (const byte of io.encodeSafetensors(Object.fromEntries(state))) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Calls `step` for each batch, and checks that the loss falls. */
function learn(model, loader, epochs, step) {
  const losses = [];
  for (let epoch = 0; epoch < epochs; epoch++) for (const batch of loader) losses.push(step(...batch).item());
  if (!(losses.at(-1) < 0.8 * losses[0])) throw new Error(`the loss went from ${losses[0]} to ${losses.at(-1)}`);
  return hashOf(model);
}

const stepOf = (model, optimizer, lossOf) => (x, y) => {
  optimizer.zeroGrad();
  const loss = lossOf(model.forward(x), y);
  loss.backward();
  optim.clipGradNorm(model.parameters(), 5);
  optimizer.step();
  return loss;
};

/** Labels that follow from the inputs. */
const labelled = (x, classes) =>
  x
    .flatten(1)
    .matmul(randn([x.size / x.shape[0], classes]))
    .argmax(1);

function dense() {
  const model = new nn.Sequential(
    new nn.Linear(64, 128),
    new nn.GELU(),
    new nn.LayerNorm(128),
    new nn.Dropout(0.1),
    new nn.Linear(128, 10),
  );
  const x = randn([512, 64]);
  const loader = new data.DataLoader(new data.TensorDataset(x, labelled(x, 10)), { batchSize: 128, shuffle: true });
  const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2 });
  return learn(model, loader, 6, compile(stepOf(model, optimizer, F.crossEntropy)));
}

function convolutional() {
  const model = new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { padding: 1 }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(8, 16, 3),
    new nn.SiLU(),
    new nn.Flatten(),
    new nn.Linear(16 * 6 * 6, 4),
  );
  const x = randn([64, 1, 16, 16]);
  const loader = new data.DataLoader(new data.TensorDataset(x, labelled(x, 4)), { batchSize: 16, shuffle: true });
  const optimizer = new optim.SGD(model.parameters(), { lr: 2e-2, momentum: 0.9, nesterov: true });
  return learn(model, loader, 8, stepOf(model, optimizer, F.crossEntropy));
}

class Recurrent extends nn.Module {
  cell = new nn.LSTMCell(4, 24);
  head = new nn.Linear(24, 1);

  forward(x) {
    const [n, length, width] = x.shape;
    let state = [zeros([n, 24]), zeros([n, 24])];
    for (let t = 0; t < length; t++) state = this.cell.forward(x.slice(1, t, t + 1).reshape([n, width]), state);
    return this.head.forward(F.softmax(concat(state, 0).slice(0, 0, n), 1).add(state[0]));
  }
}

function recurrent() {
  const model = new Recurrent();
  const x = randn([64, 6, 4]);
  const y = x.sum([1, 2]).reshape([64, 1]).tanh();
  const loader = new data.DataLoader(new data.TensorDataset(x, y), { batchSize: 32 });
  const optimizer = new optim.RMSprop(model.parameters(), { lr: 5e-3 });
  return learn(model, loader, 15, compile(stepOf(model, optimizer, F.mseLoss)));
}

/** Where the error says a program reads a value while it is traced. */
function mistake() {
  try {
    compile((x) => x.mul(12345.5).item())(tensor([1]));
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
  return 'none';
}

/** @param options those of init() */
export async function train(options) {
  await init(options);
  manualSeed(7);
  const labels = randint(0, 9, [64]);
  const hashes = { labels: hashOf({ stateDict: () => ({ labels }) }) };
  for (const [name, model] of Object.entries({ dense, convolutional, recurrent })) hashes[name] = model();
  const { engine, build, threads, reasons } = backend();
  const result = { engine, build, threads, reasons, hashes, mistake: mistake() };
  shutdown();
  return result;
}

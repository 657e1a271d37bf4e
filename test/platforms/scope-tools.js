// What the scenarios of scopes are made of.

/** Lets all that waits run. Not by a timer: WebKit slows those of pages that nobody looks at. */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

export async function sleep(ms) {
  const end = performance.now() + ms;
  do await turn();
  while (performance.now() < end);
}

export function expectSame(what, got, wanted) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}

/** Loaders, tensors and loops over them, of the package that is given. */
export function toolsOf(r) {
  const three = new r.data.TensorDataset(r.arange(3).reshape([3, 1]));
  const loader = () => new r.data.DataLoader(three);
  const living = () => r.backend().memory.blocks;
  const make = (value) => r.full([2], value);
  const use = (...tensors) => {
    for (const x of tensors) x.sum().dispose();
  };
  const freed = (x) => {
    try {
      x.item();
    } catch (error) {
      return error instanceof r.FreedError;
    }
    return false;
  };

  /** A loop as users write it: something of its own, constants and results before and after the await. */
  async function run(batches, wait) {
    const own = make(1);
    let before;
    for (const [x] of batches) {
      if (before) expectSame('the last turn is freed', before.map(freed), [true, true, true]);
      const constant = make(2);
      const result = x.add(constant);
      await wait();
      use(own, x, constant, result);
      const late = result.mul(2);
      const view = late.reshape([2]);
      make(3);
      await wait();
      use(own, x, constant, result, late, view);
      before = [x, result.select(1, 0), late.select(1, 0)];
    }
    use(own);
  }
  /** What run() leaves: its own and two constants a turn. */
  const LEFT = 7;

  /** Trains on ten batches, with an await in each turn or without one. @returns the weights */
  async function train(wait) {
    const state = r.getRngState();
    r.manualSeed(5);
    const model = new r.nn.Sequential(new r.nn.Linear(4, 8), new r.nn.ReLU(), new r.nn.Linear(8, 1));
    const optimizer = new r.optim.Adam(model.parameters(), { lr: 0.01 });
    const x = r.randn([40, 4]);
    r.setRngState(state);
    for (const [batch] of new r.data.DataLoader(new r.data.TensorDataset(x), {
      batchSize: 4,
      shuffle: true,
      seed: 1,
    })) {
      if (wait) await wait();
      optimizer.zeroGrad();
      const loss = model
        .forward(batch)
        .sub(batch.sum(1, { keepdim: true }))
        .square()
        .mean();
      if (wait) await wait();
      loss.backward();
      if (wait) await wait();
      optimizer.step();
    }
    return model.parameters().map((p) => [...p.data]);
  }

  return { LEFT, freed, living, loader, make, run, train, use };
}

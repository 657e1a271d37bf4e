// Trains two networks with the package it is given, in whatever global scope runs it: a page or a worker.

/** The seed's network: two inputs, four hidden units, one output, y = x₁ − x₂. */
function learnDifference({ functional: F, manualSeed, nn, optim, rand, scope }) {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(2, 4), new nn.Tanh(), new nn.Linear(4, 1));
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const losses = Array.from({ length: 300 }, () =>
    scope(() => {
      const x = rand([32, 2], { low: -1, high: 1 });
      const y = x.slice(1, 0, 1).sub(x.slice(1, 1, 2));
      optimizer.zeroGrad();
      const loss = F.mseLoss(model.forward(x), y);
      loss.backward();
      optimizer.step();
      return loss.item();
    }),
  );
  return { first: losses[0], last: losses.at(-1) };
}

/** A small MLP on `count` digits: bytes of 28 × 28 each, then a byte a label; trained on all but the last 100. */
function learnDigits({ data, functional: F, manualSeed, nn, noGrad, optim, scope, tensor }, bytes) {
  manualSeed(2);
  const count = bytes.length / (28 * 28 + 1);
  const trained = count - 100;
  const images = tensor(
    Float32Array.from(bytes.subarray(0, count * 28 * 28), (byte) => byte / 255),
    {
      shape: [count, 28 * 28],
    },
  );
  const labels = tensor(Int32Array.from(bytes.subarray(count * 28 * 28)));
  const model = new nn.Sequential(new nn.Linear(28 * 28, 32), new nn.ReLU(), new nn.Linear(32, 10));
  const optimizer = new optim.Adam(model.parameters(), { lr: 3e-3 });
  const dataset = new data.TensorDataset(images.slice(0, 0, trained), labels.slice(0, 0, trained));
  const loader = new data.DataLoader(dataset, { batchSize: 50, shuffle: true, seed: 3 });
  const losses = [];
  for (let epoch = 0; epoch < 15; epoch++)
    for (const [x, y] of loader) {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(x), y);
      loss.backward();
      optimizer.step();
      losses.push(loss.item());
    }
  const accuracyOf = (from, to) =>
    noGrad(() =>
      scope(() => {
        const right = model
          .forward(images.slice(0, from, to))
          .argmax(1)
          .eq(labels.slice(0, from, to));
        return right.to('f32').mean().item();
      }),
    );
  return {
    first: losses[0],
    last: losses.at(-1),
    trainAccuracy: accuracyOf(0, trained),
    testAccuracy: accuracyOf(trained, count),
  };
}

/** @param retrograd the module's namespace @param digits where the digits are served */
export async function train(retrograd, digits) {
  try {
    await retrograd.init();
    const { engine, build, threads } = retrograd.backend();
    const difference = learnDifference(retrograd);
    const response = await fetch(digits);
    return {
      engine,
      build,
      threads,
      isolated: globalThis.crossOriginIsolated,
      difference,
      digits: learnDigits(retrograd, new Uint8Array(await response.arrayBuffer())),
    };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

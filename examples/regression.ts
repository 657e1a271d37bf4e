// The smallest training there is: two inputs, four hidden units, one output, to learn y = x₁ − x₂.
import { compile, functional as F, init, manualSeed, nn, optim, rand, scope, type Tensor } from 'retrograd';

await init();
manualSeed(1);

const model = new nn.Sequential(new nn.Linear(2, 4), new nn.Tanh(), new nn.Linear(4, 1));
const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });

// Recorded at its first call, and from then on one call into WebAssembly.
const train = compile((x: Tensor, y: Tensor) => {
  optimizer.zeroGrad();
  const loss = F.mseLoss(model.forward(x), y);
  loss.backward();
  optimizer.step();
  return loss;
});

for (let step = 1; step <= 500; step++)
  scope(() => {
    const x = rand([32, 2], { low: -1, high: 1 });
    const y = x.slice(1, 0, 1).sub(x.slice(1, 1, 2));
    const loss = train(x, y);
    if (step % 100 === 0) console.log(`step ${step}  loss ${loss.item().toExponential(2)}`);
  });

scope(() => {
  const x = rand([4, 2], { low: -1, high: 1 });
  const predictions = model.forward(x).toArray() as number[][];
  (x.toArray() as [number, number][]).forEach(([a, b], i) => {
    console.log(
      `${a.toFixed(3)} − ${b.toFixed(3)} = ${(a - b).toFixed(3)}, learned ${predictions[i]?.[0]?.toFixed(3)}`,
    );
  });
});

// The smallest training there is: two inputs, four hidden units, one output, to learn y = x₁ − x₂.
import { data, functional as F, init, manualSeed, nn, optim, rand, type Tensor } from 'retrograd';
import { Trainer } from 'retrograd/train';

await init();
manualSeed(1);

const inputs = rand([16_000, 2], { low: -1, high: 1 });
const targets = inputs.slice(1, 0, 1).sub(inputs.slice(1, 1, 2));

const model = new nn.Sequential(new nn.Linear(2, 4), new nn.Tanh(), new nn.Linear(4, 1));
const trainer = new Trainer(model, {
  loss: F.mseLoss,
  optimizer: new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 }),
  callbacks: [
    {
      onStepEnd({ step }, { loss = 0 }) {
        if (step % 100 === 0) console.log(`step ${step}  loss ${loss.toExponential(2)}`);
      },
    },
  ],
});
await trainer.fit(new data.DataLoader(new data.TensorDataset(inputs, targets), { batchSize: 32 }));

const x = rand([4, 2], { low: -1, high: 1 });
const y = (await trainer.predict([x])) as Tensor;
const learned = y.toArray() as number[][];
(x.toArray() as [number, number][]).forEach(([a, b], i) => {
  console.log(`${a.toFixed(3)} − ${b.toFixed(3)} = ${(a - b).toFixed(3)}, learned ${learned[i]?.[0]?.toFixed(3)}`);
});

// The networks of test/golden/explain.py, with their weights, inputs and baselines, which are made of seeds.
import { nn, noGrad, type Tensor } from '../../bindings/index.ts';
import { made } from '../golden/golden.ts';
import { toTensor } from '../support/tensors.ts';

class Two extends nn.Module {
  readonly a = new nn.Linear(4, 6);
  readonly b = new nn.Linear(3, 6);
  readonly out = new nn.Linear(6, 3);
  readonly tanh = new nn.Tanh();
  readonly relu = new nn.ReLU();
  forward(x: Tensor, y: Tensor): Tensor {
    return this.out.forward(this.relu.forward(this.a.forward(x)).add(this.tanh.forward(this.b.forward(y))));
  }
}

type Network = nn.Module & { forward(...xs: Tensor[]): Tensor };
type Shapes = readonly (readonly number[])[];
const { Sequential, Linear, ReLU, Tanh, Conv2d, MaxPool2d, Flatten } = nn;

const makers: Readonly<Record<string, { make(): Network; shapes: Shapes }>> = {
  mlp: {
    make: () => new Sequential(new Linear(5, 8), new ReLU(), new Linear(8, 6), new Tanh(), new Linear(6, 3)),
    shapes: [[3, 5]],
  },
  relus: {
    make: () => new Sequential(new Linear(5, 8), new ReLU(), new Linear(8, 7), new ReLU(), new Linear(7, 3)),
    shapes: [[3, 5]],
  },
  cnn: {
    make: () =>
      new Sequential(
        ...[new Conv2d(2, 4, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2), new Conv2d(4, 5, 3), new ReLU()],
        ...[new Flatten(), new Linear(20, 3)],
      ),
    shapes: [[2, 2, 8, 8]],
  },
  two: {
    make: () => new Two() as unknown as Network,
    shapes: [
      [3, 4],
      [3, 3],
    ],
  },
};

export const names = Object.keys(makers);
/** What generator `seed` of Python draws. */
export const drawn = (seed: number, shape: readonly number[], low = -1.5, high = 1.5): Tensor =>
  toTensor(made(seed, [...shape], [low, high]));

/** Weights of seeds. */
export function filled<M extends nn.Module>(model: M, seed: number): M {
  noGrad(() => {
    model.parameters().forEach((p, i) => {
      const bound = p.ndim < 2 ? 0.5 : 1.5 / Math.sqrt(p.size / (p.shape[0] as number));
      p.copy_(drawn(seed + i, p.shape, -bound, bound));
    });
  });
  return model.eval();
}

/** A network in evaluation mode, its inputs, and baselines of their shapes. */
export function network(name: string): { model: Network; inputs: Tensor[]; baselines: Tensor[] } {
  const seed = names.indexOf(name);
  const { make, shapes } = makers[name] as (typeof makers)[string];
  return {
    model: filled(make(), 1000 + 100 * seed),
    inputs: shapes.map((shape, i) => drawn(100 + 10 * seed + i, shape)),
    baselines: shapes.map((shape, i) => drawn(200 + 10 * seed + i, shape, -0.5, 0.5)),
  };
}

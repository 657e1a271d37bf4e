// What test/io/files/ours.* hold, which others have read: test/golden/files.py.
import { nn, optim, scope, tensor } from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';

/** Values of each kind, and the state of an optimizer after two steps. */
export function ours(): Uint8Array {
  const tied = tensor([1, 2]);
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.BatchNorm1d(4), new nn.Linear(4, 1));
  for (const p of model.parameters()) nn.init.constant_(p, 0.5);
  const optimizer = new optim.Adam(model.parameters());
  for (let i = 0; i < 2; i++)
    scope(() => {
      optimizer.zeroGrad();
      for (const p of model.parameters()) p.sum().backward();
      optimizer.step();
    });
  const words = (...values: number[]) => Uint16Array.from(values);
  return io.encodePyTorch({
    layer: {
      weight: tensor([
        [0, 1, 2],
        [3, 4, 5],
      ]),
      bias: tensor([1.5, -2]),
    },
    plain: {
      ...{ none: null, yes: true, int: 3, large: 2 ** 40, huge: 2n ** 70n, float: 0.1, text: 'Grüße 😀' },
      ...{ list: [1, [2.5, 'x']], set: new Set([1, 2]), numbered: { 0: 'a', 1: 'b' }, map: new Map([['0', 1]]) },
      bytes: Uint8Array.of(0, 255),
    },
    tied: [tied, tied],
    dtypes: {
      u8: { dtype: 'u8', shape: [3], data: Uint8Array.of(0, 1, 2) },
      i32: { dtype: 'i32', shape: [3], data: Int32Array.of(0, 1, 2) },
      i64: { dtype: 'i64', shape: [3], data: BigInt64Array.of(0n, 1n, 2n) },
      u64: { dtype: 'u64', shape: [3], data: BigUint64Array.of(0n, 1n, 2n) },
      f64: { dtype: 'f64', shape: [3], data: Float64Array.of(0, 1, 2) },
      f16: { dtype: 'f16', shape: [3], data: words(0, 0x3c00, 0x4000) },
      bf16: { dtype: 'bf16', shape: [3], data: words(0, 0x3f80, 0x4000) },
    },
    optimizer: optim.pytorchStateDict(optimizer),
  });
}

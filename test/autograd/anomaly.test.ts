// Which op first made NaN or an infinity, and where.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { autograd, type Tensor, tensor } from '../../bindings/index.ts';

beforeAll(() => r.init());
afterAll(() => {
  autograd.setDetectAnomaly(false);
  r.shutdown();
});
const test = (name: string, body: () => void): void => it(name, () => r.scope(body));
/** What is thrown, and the line of this file that it names. */
function found(fn: () => unknown): { message: string; here: boolean } {
  try {
    autograd.detectAnomaly(fn);
  } catch (error) {
    const { message } = error as Error;
    return { message: message.replace(/ \(at.*/, ''), here: /\(at .*anomaly\.test\.ts:\d+:\d+/.test(message) };
  }
  return { message: '', here: false };
}

describe('detectAnomaly', () => {
  const cases: Record<string, [fn: (x: Tensor) => unknown, message: string]> = {
    'an infinity in forward': [(x) => x.sub(1).log().sum(), 'expected numbers, got Infinity from log'],
    'NaN in forward': [(x) => x.sub(9).sqrt().mul(2), 'expected numbers, got NaN from sqrt'],
    'NaN of infinities': [
      (x) => {
        const masked = x.maskedFill(x.gt(0), -Infinity);
        return masked.sub(masked);
      },
      'expected numbers, got NaN from sub',
    ],
    'an infinity in backward': [
      (x) =>
        x
          .sub(1)
          .sqrt()
          .mul(tensor([1, 0]))
          .sum()
          .backward(),
      'in the backward of sqrt, called',
    ],
    'in place': [(x) => x.detach().sub_(1).reciprocal_(), 'expected numbers, got Infinity from reciprocal'],
  };
  for (const [what, [fn, message]] of Object.entries(cases))
    test(what, () => {
      const x = tensor([1, 4], { requiresGrad: true });
      const said = found(() => fn(x));
      expect(said.message).toContain(message);
      expect(said.here).toBe(true);
      expect(x.grad).toBeNull();
    });

  test('finds nothing in what is asked for, and gives what the function gives', () => {
    const x = tensor([[1, 4]], { requiresGrad: true });
    const loss = autograd.detectAnomaly(() => {
      const y = x.maskedFill(tensor([0, 1], { dtype: 'u8' }), -Infinity).softmax(1);
      y.square().sum().backward();
      return y;
    });
    expect(loss.toArray()).toEqual([[1, 0]]);
    expect(x.log().sub(x.log()).requiresGrad).toBe(true);
  });

  test('is on until it is off, and not in compiled functions', () => {
    autograd.setDetectAnomaly(true);
    expect(() => tensor([0]).log()).toThrow(/^log: expected numbers, got Infinity from log \(at/);
    expect(() => r.profile(() => 1)).toThrow(r.ArgumentError);
    const log = r.compile((x: Tensor) => x.log());
    expect(log(tensor([0])).item()).toBe(-Infinity);
    expect(log(tensor([0])).item()).toBe(-Infinity);
    autograd.setDetectAnomaly(false);
    expect(tensor([0]).log().item()).toBe(-Infinity);
    const inside = r.compile((x: Tensor) => autograd.detectAnomaly(() => x.log()));
    expect(() => inside(tensor([1]))).toThrow(r.RecordingError);
    for (const each of [log, inside]) each.dispose();
  });
});

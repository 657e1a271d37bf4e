// profile(): what it takes, and what it says where the clock of the engine is coarse or stands still.
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, profile, scope, type Tensor, tensor } from '../../bindings/index.ts';

describe('profile()', () => {
  beforeAll(() => rg.init({ threads: 1 }));
  afterAll(() => rg.shutdown());
  afterEach(() => vi.restoreAllMocks());

  const model = (x: Tensor): Tensor => x.mul(2).exp().sum();

  it('says that a clock that stands still measures nothing', () => {
    vi.spyOn(performance, 'now').mockReturnValue(5);
    scope(() => {
      const f = compile(model);
      for (const report of [profile(() => model(tensor([1]))), profile(() => f(tensor([1])))]) {
        expect(report.result.item()).toBeCloseTo(Math.exp(2), 4);
        expect(report.duration).toBe(0);
        for (const row of [...report.ops, ...report.modules]) expect(row.share).toBe(0);
        expect(String(report)).toMatch(/^0\.000 ms.*\nthe clock of this engine stood still: no op was measured\n/);
        expect(JSON.parse(report.toChromeTrace()).traceEvents).toHaveLength(report.events.length);
      }
    });
  });

  it('says by how much a coarse clock moves', () => {
    let readings = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => 100 * Math.floor(readings++ / 9));
    scope(() => {
      const report = profile(() => [1, 2, 3, 4].map(() => model(tensor([1]))));
      expect(String(report)).toMatch(/\nthe clock of this engine moves by 100\.000 ms, and most ops take less/);
      expect(report.ops.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    });
  });

  it('says nothing of a clock that is fine', () => {
    let readings = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => 0.01 * readings++);
    scope(() => expect(String(profile(() => model(tensor([1]))))).not.toMatch(/clock/));
  });

  it('takes a synchronous function and nothing else, as the methods of its reports take nothing', () => {
    const none = profile(() => 1);
    const wrong: [() => unknown, RegExp][] = [
      [() => profile(1 as never), /^profile: expected a function as fn, got 1/],
      [() => (profile as (...args: unknown[]) => unknown)(() => 1, 2), /^profile: expected nothing after fn, got/],
      [() => (none.toChromeTrace as (...args: unknown[]) => unknown)(1), /^toChromeTrace: expected no/],
      [() => profile(() => profile(() => 1)), /^profile: expected one profile at a time/],
    ];
    for (const [call, message] of wrong) {
      expect(call).toThrow(message);
      expect(call).toThrow(rg.ArgumentError);
    }
  });
});

describe('compile()', () => {
  beforeAll(() => rg.init({ threads: 1 }));
  afterAll(() => rg.shutdown());

  it('takes a function and nothing else, as the methods of what it gives take nothing', () => {
    const f = compile(() => 1) as unknown as Record<string, (...args: unknown[]) => unknown>;
    const wrong: [() => unknown, RegExp][] = [
      [() => compile({} as never), /^compile: expected a function as fn, got an object/],
      [() => (compile as (...args: unknown[]) => unknown)(() => 1, { programs: 3 }), /^compile: expected no options/],
      [() => f.dump?.({ profile: true }), /^dump: expected no options, got 'profile'/],
      [() => f.dispose?.(1), /^dispose: expected no arguments/],
    ];
    for (const [call, message] of wrong) {
      expect(call).toThrow(message);
      expect(call).toThrow(rg.ArgumentError);
    }
  });
});

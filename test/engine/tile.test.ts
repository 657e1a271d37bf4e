// Which tile is picked by timing, on an engine of the test's: it has a clock of its own, and compiles when it is told.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TILES, type Tile, timeTiles } from '../../bindings/engine/tile.ts';

/** Milliseconds that the engine has run, and what it does. */
let engine: { time: number; tile: number; product: () => void };

vi.mock('../../bindings/engine/instance.ts', async (original) => ({
  ...(await original<object>()),
  makeTrial: async () => ({
    exports: {
      gemm_set_tile: (tile: number) => {
        engine.tile = tile;
      },
      gemm_workspace_bytes: () => 64,
      gemm_f32: () => engine.product(),
    },
    memory: new WebAssembly.Memory({ initial: 16 }),
    base: 64,
  }),
}));
afterEach(() => void vi.unstubAllGlobals());

/** Milliseconds of a product: as the engine starts, and compiled. */
const BASELINE = 0.12;
const fastest = (tile: Tile) => (of: Tile) => (of === tile ? 0.015 : of === '6x8' ? 0.025 : 0.03);

interface Course {
  /** When each tile is compiled: milliseconds, in the order of TILES. */
  readonly compiled: readonly number[];
  /** A tick of the clock. */
  readonly tick: number;
  /** Every so many products another program takes the processor for 4 ms; 0: never. */
  readonly busy?: number;
}

function run({ compiled, tick, busy = 0 }: Course, best: Tile): void {
  let products = 0;
  engine = {
    time: 0,
    tile: 0,
    product: () => {
      const tile = TILES[engine.tile] as Tile;
      engine.time += engine.time < (compiled[engine.tile] as number) ? BASELINE : fastest(best)(tile);
      if (busy > 0 && ++products % busy === 0) engine.time += 4;
    },
  };
  vi.stubGlobal('setTimeout', (then: () => void, wait: number) => {
    engine.time += wait;
    queueMicrotask(then);
  });
  vi.stubGlobal('performance', { now: () => Math.floor(engine.time / tick) * tick });
}

const ENGINES: Readonly<Record<string, readonly number[]>> = {
  'that compiles while the tiles are first run': [2, 3, 4, 5],
  'that compiles late': [20, 21, 22, 23],
  'that compiles the tiles far apart': [5, 18, 30, 44],
  'that compiles the last first': [40, 30, 20, 10],
  'whose code is compiled from the start': [0, 0, 0, 0],
  'that had compiled some before': [15, 0, 0, 15],
};
const CLOCKS = { 'of microseconds': 0.005, 'of Chrome': 0.1, 'of a millisecond': 1 };

describe.each(Object.entries(ENGINES))('An engine %s', (_, compiled) => {
  describe.each(Object.entries(CLOCKS))('with the clock %s', (_, tick) => {
    it.each([0, 97, 211])('is given its fastest tile, interrupted every %i products', async (busy) => {
      for (const tile of TILES.filter((tile) => tile !== '4x8')) {
        run({ compiled, tick, busy }, tile);
        expect(await timeTiles(undefined as never, 'relaxed'), tile).toEqual({
          tile,
          reason: 'the fastest in a short timing',
        });
        if (busy === 0) expect(engine.time).toBeLessThan(Math.max(...compiled) + 60);
      }
    });
  });
});

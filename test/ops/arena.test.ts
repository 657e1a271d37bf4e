// The allocator alone, against a model.
import { describe, expect, it } from 'vitest';
import { Arena, type Block } from '../../bindings/memory/arena.ts';
import { OutOfMemoryError } from '../../bindings/memory/errors.ts';
import { random } from '../../reference/random.ts';

describe('the arena', () => {
  it.each([1, 2, 3, 4])('random life and death, run %i: blocks never overlap and nothing is lost', (seed) => {
    const next = random(`arena ${seed}`);
    const arena = new Arena(new WebAssembly.Memory({ initial: 2, maximum: 512 }), 1000, 512 * 65536);
    const start = { used: arena.used, count: arena.count };
    const living: Block[] = [];
    let stamp = 1;
    const stamps = new Map<Block, number>();
    const size = (): number => {
      const kind = next();
      if (kind < 0.1) return 0;
      if (kind < 0.6) return Math.floor(next() * 300);
      if (kind < 0.95) return Math.floor(next() * 20_000);
      return Math.floor(next() * 1_500_000);
    };
    for (let i = 0; i < 4000; i++) {
      if (living.length > 0 && (next() < 0.45 || living.length > 150)) {
        const at = Math.floor(next() * living.length);
        const block = living[at] as Block;
        living[at] = living.at(-1) as Block;
        living.pop();
        const mark = stamps.get(block) as number;
        const words = arena.i32.subarray(block.ptr / 4, (block.ptr + block.bytes) / 4);
        expect([words[0], words.at(-1)], 'nobody wrote into it').toEqual([mark, mark]);
        block.free();
        block.free();
        expect(block.freed).toBe(true);
        continue;
      }
      const bytes = size();
      const block = arena.allocate(bytes, 'test');
      expect(block.ptr % 64).toBe(0);
      expect(block.ptr).toBeGreaterThan(0);
      expect(block.bytes).toBeGreaterThanOrEqual(Math.max(1, bytes));
      expect(block.bytes).toBeLessThanOrEqual(Math.max(64, bytes * 1.125 + 64));
      expect(block.ptr + block.bytes).toBeLessThanOrEqual(arena.memory.buffer.byteLength);
      arena.i32.fill(stamp, block.ptr / 4, (block.ptr + block.bytes) / 4);
      stamps.set(block, stamp++);
      living.push(block);
      if (i % 97 === 0) {
        const sorted = [...living].sort((a, b) => a.ptr - b.ptr);
        sorted.slice(1).forEach((b, k) => {
          const a = sorted[k] as Block;
          expect(a.ptr + a.bytes).toBeLessThanOrEqual(b.ptr);
        });
        expect(arena.used).toBe(start.used + living.reduce((sum, b) => sum + b.bytes, 0));
        expect(arena.count).toBe(start.count + living.length);
      }
    }
    for (const block of living) block.free();
    expect({ used: arena.used, count: arena.count }).toEqual(start);
    expect(arena.peak).toBeGreaterThan(0);
    // Everything is free again and joins up: one block may have nearly all of it.
    const most = Math.floor((arena.memory.buffer.byteLength - 2000) / 1.13);
    const { byteLength } = arena.memory.buffer;
    expect(arena.allocate(most, 'test').bytes).toBeGreaterThanOrEqual(most);
    expect(arena.memory.buffer.byteLength).toBe(byteLength);
  });

  it('steps that ask for the same sizes do not grow it', () => {
    const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 512 }), 0, 512 * 65536);
    const step = (): void => {
      const scope = arena.open();
      for (const bytes of [100, 5000, 100_000, 64, 5000]) arena.allocate(bytes, 'test');
      arena.close(scope);
    };
    step();
    const { byteLength } = arena.memory.buffer;
    const { peak } = arena;
    for (let i = 0; i < 1000; i++) step();
    expect(arena.memory.buffer.byteLength).toBe(byteLength);
    expect(arena.peak).toBe(peak);
    expect(arena.count).toBe(0);
  });

  it('reaches its limit to the last block and no farther', () => {
    const limit = 40 * 65536;
    const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 40 }), 0, limit);
    const blocks: Block[] = [];
    expect(() => {
      for (;;) blocks.push(arena.allocate(64 * 1024, 'test'));
    }).toThrow(OutOfMemoryError);
    expect(blocks.length).toBe(39); // the first 64 bytes are never given out
    expect(() => arena.allocate(2 ** 40, 'test')).toThrow(OutOfMemoryError);
    expect(arena.used).toBe(39 * 65536);
    (blocks[7] as Block).free();
    expect(arena.allocate(64 * 1024, 'test').ptr).toBe((blocks[7] as Block).ptr);
  });

  it('closing an outer scope closes the inner ones', () => {
    const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 8 }), 0, 8 * 65536);
    const outer = arena.open();
    const first = arena.allocate(10, 'test');
    const inner = arena.open();
    const second = arena.allocate(10, 'test');
    const third = arena.allocate(10, 'test');
    arena.adopt(third, null);
    arena.close(outer);
    arena.close(inner);
    expect([first.freed, second.freed, third.freed]).toEqual([true, true, false]);
    expect(arena.scope).toBeNull();
    expect(arena.count).toBe(1);
  });
});

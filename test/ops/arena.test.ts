// The allocator alone, against a model.
import { describe, expect, it } from 'vitest';
import { Arena, type Block } from '../../bindings/memory/arena.ts';
import { OutOfMemoryError } from '../../bindings/memory/errors.ts';
import { random } from '../../reference/random.ts';
import { cpuSeconds } from '../support/seconds.ts';

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

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('refuses only what fits nowhere, run %i', (seed) => {
    const next = random(`room ${seed}`);
    const pages = 16 + Math.floor(next() * 100);
    const [base, limit] = [Math.floor(next() * 5000), pages * 65536 - Math.floor(next() * 65536)];
    const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: Math.floor(limit / 65536) }), base, limit);
    const start = Math.ceil(Math.max(base, 64) / 64) * 64;
    const end = Math.floor(limit / 65536) * 65536;
    const living = new Map<Block, number>();
    /** The widest room between living blocks. */
    const widest = (): number => {
      let [most, at] = [0, start];
      for (const { ptr, bytes } of [...living.keys()].sort((a, b) => a.ptr - b.ptr)) {
        most = Math.max(most, ptr - at);
        at = ptr + bytes;
      }
      return Math.max(most, end - at);
    };
    const size = (): number => Math.floor(next() ** (4 ** Math.floor(next() * 3)) * limit * 1.1);
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      if (living.size > 0 && next() < 0.5) {
        const [block, stamp] = [...living][Math.floor(next() * living.size)] as [Block, number];
        expect([arena.u8[block.ptr], arena.u8[block.ptr + block.bytes - 1]]).toEqual([stamp, stamp]);
        block.free();
        living.delete(block);
        continue;
      }
      const bytes = size();
      const before = { used: arena.used, count: arena.count };
      try {
        const block = arena.allocate(bytes, 'test');
        expect(block.bytes).toBeGreaterThanOrEqual(bytes);
        expect(block.ptr).toBeGreaterThanOrEqual(start);
        expect(block.ptr + block.bytes).toBeLessThanOrEqual(end);
        for (const other of living.keys())
          expect(block.ptr + block.bytes <= other.ptr || other.ptr + other.bytes <= block.ptr).toBe(true);
        const stamp = i % 251;
        arena.u8.fill(stamp, block.ptr, block.ptr + block.bytes);
        living.set(block, stamp);
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemoryError);
        expect(Math.ceil(Math.max(bytes, 1) / 64) * 64, `room for ${bytes}`).toBeGreaterThan(widest());
        expect({ used: arena.used, count: arena.count }).toEqual(before);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
    expect(arena.used).toBe([...living.keys()].reduce((sum, { bytes }) => sum + bytes, 0));
    for (const block of living.keys()) block.free();
    expect(arena.allocate(end - start, 'test').bytes).toBe(end - start);
  });

  it('joins what was freed before it refuses or grows', () => {
    const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 1024 }), 0, 2 ** 26);
    arena.allocate(28 * 2 ** 20, 'test').free();
    const block = arena.allocate(36 * 2 ** 20, 'test');
    expect(arena.memory.buffer.byteLength).toBeLessThan(45 * 2 ** 20);
    block.free();
    const parts = Array.from({ length: 400 }, () => arena.allocate(2 ** 16, 'test'));
    for (const part of parts) part.free();
    const { byteLength } = arena.memory.buffer;
    arena.allocate(35 * 2 ** 20, 'test').free();
    expect(arena.memory.buffer.byteLength).toBe(byteLength);
    // Rounded up to its class it would not fit any more.
    expect(arena.allocate(61 * 2 ** 20, 'test').bytes).toBe(61 * 2 ** 20);
  });

  it('finds room among many holes at once', () => {
    const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 1024 }), 0, 2 ** 26);
    const small = Array.from({ length: 200_000 }, () => arena.allocate(64, 'test'));
    for (let i = 0; i < small.length; i += 2) (small[i] as Block).free();
    arena.allocate(50 * 2 ** 20, 'test'); // has the bins emptied into holes
    const seconds = cpuSeconds(() => {
      for (let i = 0; i < 20_000; i++) arena.allocate(i % 3 ? 64 : 128, 'test');
    });
    expect(seconds).toBeLessThan(2); // 20 s where every search sees every hole
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

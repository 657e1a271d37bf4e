import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readFileBytes, writeFileAtomic } from '../../bindings/io/files.ts';
import { decodeSafetensors } from '../../bindings/io/safetensors.ts';
import { ArgumentError } from '../../bindings/memory/errors.ts';
import { holders, NO_BYTES } from '../support/bytes.ts';

let root: string;
let folder: string;
let file: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'retrograd-files-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(root, 'case-'));
  file = join(folder, 'model.safetensors');
});

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The number of a process that has surely ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.on('exit', resolve));
  return child.pid as number;
}

describe('writeFileAtomic and readFileBytes', () => {
  it('write, replace and read back, and leave nothing beside the file', async () => {
    for (const value of ['first', 'a longer second one', '']) {
      await writeFileAtomic(file, text(value));
      expect(await readFileBytes(file)).toEqual(text(value));
    }
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('write only the viewed part of a buffer', async () => {
    await writeFileAtomic(file, text('xxhelloxx').subarray(2, 7));
    expect(await readFile(file, 'utf8')).toBe('hello');
  });

  it('write whatever holds bytes, and nothing else', async () => {
    for (const [name, bytes] of Object.entries(holders(text('hello')))) {
      await writeFileAtomic(file, bytes);
      expect(await readFile(file, 'utf8'), name).toBe('hello');
    }
    for (const bytes of Object.values(NO_BYTES))
      await expect(writeFileAtomic(file, bytes as Uint8Array)).rejects.toThrow(ArgumentError);
    expect(await readFile(file, 'utf8')).toBe('hello');
  });

  it.each([[undefined], [null], [7], [''], ['a\0b'], [new URL('file:///tmp/x')], [Buffer.from('/tmp/x')], [['x']]])(
    'refuse %s for a path',
    async (path) => {
      await expect(readFileBytes(path as string)).rejects.toThrow(
        /^readFileBytes: expected the path of a file \(.*\) as path, got/,
      );
      await expect(writeFileAtomic(path as string, text('x'))).rejects.toThrow(ArgumentError);
    },
  );

  it('read a plain Uint8Array of its own buffer', async () => {
    await writeFile(file, 'hello');
    const bytes = await readFileBytes(file);
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
    expect(bytes.buffer.byteLength).toBe(5);
  });

  it('pass on the system’s errors', async () => {
    await expect(readFileBytes(file)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(writeFileAtomic(join(folder, 'no', 'file'), text('x'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('leave the old file and no temporary where the write fails', async () => {
    // A folder at the path lets everything pass but the rename.
    await mkdir(join(file, 'full'), { recursive: true });
    await expect(writeFileAtomic(file, text('new'))).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    expect((await stat(file)).isDirectory()).toBe(true);
  });

  // Root may write anywhere.
  it.skipIf(process.getuid?.() === 0)('keep the file as it was in a folder that cannot be written', async () => {
    await writeFileAtomic(file, text('old'));
    await chmod(folder, 0o500);
    await expect(writeFileAtomic(file, text('new'))).rejects.toMatchObject({ code: 'EACCES' });
    await chmod(folder, 0o700);
    expect(await readFile(file, 'utf8')).toBe('old');
  });

  it('let many writers of one path finish, the file whole', async () => {
    const values = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(50_000));
    await Promise.all(values.map((value) => writeFileAtomic(file, text(value))));
    expect(values).toContain(await readFile(file, 'utf8'));
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('clean up after ended processes, and touch nothing else', async () => {
    const dead = await deadProcess();
    const kept = [
      `model.safetensors.${process.ppid}-1.tmp`, // its process lives
      `model.safetensors.${process.pid}-1.tmp`, // young, and ours: another thread may be writing it
      `other.safetensors.${dead}-1.tmp`,
      `model.safetensors.${dead}-1.tmp.bak`,
      'model.safetensors.bak',
    ];
    const stale = [`model.safetensors.${dead}-1.tmp`, `model.safetensors.${dead}-4294967295.tmp`];
    const reused = `model.safetensors.${process.pid}-2.tmp`; // from a process that had our number before us
    for (const name of [...kept, ...stale, reused]) await writeFile(join(folder, name), 'x');
    await utimes(join(folder, reused), 1000, 1000);
    await writeFileAtomic(file, text('new'));
    expect((await readdir(folder)).sort()).toEqual([...kept, 'model.safetensors'].sort());
  });
});

describe('a checkpoint written over and over', () => {
  const KILLS = 20;
  const COUNT = 200_000;

  /** The child: checkpoints whose every element is the number of the write, as fast as they go. */
  async function bundleWriter(): Promise<string> {
    const source = (path: string) =>
      JSON.stringify(fileURLToPath(new URL(`../../bindings/io/${path}`, import.meta.url)));
    const entry = join(root, 'writer.mjs');
    await writeFile(
      entry,
      `import { writeFileAtomic } from ${source('files.ts')};
       import { encodeSafetensors } from ${source('safetensors.ts')};
       for (let step = 1; ; step++) {
         const data = new Float32Array(${COUNT} + step * 100).fill(step);
         const x = { dtype: 'f32', shape: [data.length], data };
         await writeFileAtomic(process.argv[2], encodeSafetensors({ x }, { step: String(step) }));
         if (step === 1) process.stdout.write('written');
       }`,
    );
    const output = join(root, 'writer.bundle.mjs');
    await build({ input: entry, platform: 'node', output: { file: output, codeSplitting: false }, logLevel: 'warn' });
    return output;
  }

  const firstWrite = (child: ChildProcess) =>
    new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code, signal) => reject(new Error(`the writer ended early: ${code ?? signal}`)));
    });

  it(`is never torn by ${KILLS} kills at random moments`, { timeout: 120_000 }, async () => {
    const writer = await bundleWriter();
    let leftovers = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawn(process.execPath, [writer, file], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      try {
        await firstWrite(child);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
      } finally {
        child.kill('SIGKILL');
        await ended;
      }
      const { tensors, metadata } = decodeSafetensors(await readFileBytes(file));
      const step = Number(metadata.step);
      expect(tensors.x?.shape).toEqual([COUNT + step * 100]);
      expect(tensors.x?.data.every((value) => value === step)).toBe(true);
      const temporaries = (await readdir(folder)).length - 1;
      expect(temporaries).toBeLessThanOrEqual(1); // each writer cleaned up after the one before it
      leftovers += temporaries;
    }
    await writeFileAtomic(file, text('done'));
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    // Kills that all fall between two writes would prove nothing.
    expect(leftovers).toBeGreaterThan(0);
  });
});

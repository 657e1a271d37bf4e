// The pieces of the examples that need no training: command lines, data, metrics, pictures.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { init, tensor } from '../../bindings/index.ts';
import { DatasetError, loadMnist } from '../../examples/mnist/dataset.ts';
import { HELP, parseOptions, UsageError } from '../../examples/mnist/options.ts';
import { savePicture } from '../../examples/mnist/picture.ts';
import { readOptions } from '../../examples/options.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'retrograd-mnist-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('parseOptions', () => {
  it('has the defaults that --help names', () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ model: 'mlp', epochs: 5, batchSize: 64, lr: 1e-3, optimizer: 'adam', seed: 1 });
    expect(options).toMatchObject({ out: 'runs/mnist', name: 'mnist', resume: false, help: false });
    expect(options).toMatchObject({ data: undefined, limit: undefined });
    expect(options.given.size).toBe(0);
  });

  it('reads every option', () => {
    const line =
      '--model mlp --epochs 2 --batch-size=32 --lr 5e-2 --optimizer sgd --seed 0 --out /tmp/a/b --data d --resume --limit 100';
    const { given, ...options } = parseOptions(line.split(' '));
    expect(options).toEqual({
      model: 'mlp',
      epochs: 2,
      batchSize: 32,
      lr: 0.05,
      optimizer: 'sgd',
      seed: 0,
      out: '/tmp/a/b',
      name: 'b',
      data: 'd',
      resume: true,
      help: false,
      limit: 100,
      ranks: 1,
      shards: null,
    });
    expect(given.size).toBe(10);
    expect(given.has('batch-size')).toBe(true);
  });

  it('gives each optimizer a learning rate of its own', () => {
    expect(parseOptions(['--optimizer', 'sgd']).lr).toBe(0.1);
    expect(parseOptions(['--optimizer', 'adagrad']).lr).toBe(0.01);
  });

  it('lets --help stand beside anything, and names every option in it', () => {
    expect(parseOptions(['-h', '--epochs', 'many']).help).toBe(true);
    for (const option of [
      'model',
      'epochs',
      'batch-size',
      'lr',
      'optimizer',
      'seed',
      'out',
      'data',
      'resume',
      'help',
      'limit',
    ]) {
      expect(HELP).toContain(`--${option}`);
    }
    for (const line of HELP.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it.each([
    [['--model', 'rnn'], /--model: expected one of mlp, cnn, got "rnn"/],
    [['--model', 'vit'], /--model: expected one of mlp, cnn, got "vit"/],
    [['--epochs', '0'], /--epochs: expected a whole number from 1 to 100000, got "0"/],
    [['--epochs', '1.5'], /--epochs: .* got "1.5"/],
    [['--epochs', ''], /--epochs: .* got ""/],
    [['--batch-size', '1e3'], /--batch-size: .* got "1e3"/],
    [['--batch-size', '60001'], /--batch-size: .*to 60000/],
    [['--lr', '0'], /--lr: expected a number above 0/],
    [['--lr=-1'], /--lr: .* got "-1"/],
    [['--lr', 'NaN'], /--lr: .* got "NaN"/],
    [['--lr', 'Infinity'], /--lr: .* got "Infinity"/],
    [['--optimizer', 'toString'], /--optimizer: expected one of sgd, momentum, rmsprop, adagrad, adam, adamw/],
    [['--seed=-1'], /--seed: .* got "-1"/],
    [['--seed', '4294967296'], /--seed: /],
    [['--limit', '0'], /--limit: /],
    [['--out', ''], /--out: expected a folder/],
    [['--epochs'], /--epochs.*; see --help/],
    [['--epoch', '3'], /Unknown option '--epoch'; see --help/],
    [['fast'], /Unexpected argument 'fast'.*; see --help/],
    [['--lr', '-1'], /--lr.*ambiguous; see --help/],
    [['--resume=yes'], /--resume.*; see --help/],
  ])('refuses %j', (argv, message) => {
    const run = () => parseOptions(argv);
    expect(run).toThrow(UsageError);
    expect(run).toThrow(message);
    try {
      run();
    } catch (error) {
      expect((error as UsageError).exitCode).toBe(2);
    }
  });
});

describe('readOptions', () => {
  const choices = {
    epochs: [3, 'rounds'],
    lr: [0.1, 'rate'],
    limit: [Infinity, 'images'],
    out: ['runs', 'where'],
  } as const;
  /** What it gives, or what it printed before it ended the process with a code. */
  function read(...argv: string[]): unknown {
    let said = '';
    const say = (text: string): void => {
      said += text;
    };
    const spies = [
      vi.spyOn(console, 'log').mockImplementation(say),
      vi.spyOn(console, 'error').mockImplementation(say),
      vi.spyOn(process, 'exit').mockImplementation((code) => {
        throw new Ended(Number(code ?? 0));
      }),
    ];
    try {
      return readOptions('Train.', choices, argv);
    } catch (error) {
      return [(error as Ended).code, said];
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  }
  class Ended extends Error {
    readonly code: number;
    constructor(code: number) {
      super();
      this.code = code;
    }
  }

  it('gives numbers and texts', () => {
    expect(read()).toEqual({ epochs: 3, lr: 0.1, limit: Infinity, out: 'runs' });
    const given = '--epochs 1 --lr=2e-3 --limit 50 --out a/b'.split(' ');
    expect(read(...given)).toEqual({ epochs: 1, lr: 0.002, limit: 50, out: 'a/b' });
  });

  it('shows each option, and refuses what is none', () => {
    const [code, help] = read('--help') as [number, string];
    expect(code).toBe(0);
    expect(help).toMatch(/^Train\.\n\n {2}--epochs <n> .*rounds \(default 3\)\n/);
    expect(help).toMatch(/--limit <n> .*\(default all\)\n {2}--out <path> .*\(default runs\)$/);
    for (const [argv, message] of [
      [['--epochs', '1.5'], /--epochs: expected a whole number from 1 on, got '1.5'; see --help/],
      [['--limit', '0'], /--limit: expected a whole number/],
      [['--lr', '0'], /--lr: expected a number above 0, got '0'/],
      [['--lr', ''], /--lr: expected a number above 0/],
      [['--nope'], /Unknown option '--nope'; see --help/],
      [['fast'], /Unexpected argument 'fast'/],
    ] as const)
      expect(read(...argv)).toEqual([2, expect.stringMatching(message)]);
  });
});

describe('savePicture', () => {
  it('writes a PNG of images side by side', async () => {
    await init();
    const path = join(folder, 'new', 'grid.png');
    const images = tensor([[[0, 0.5, 1]], [[2, -1, 0.25]], [[1, 1, 1]]]);
    expect(savePicture(path, images, 2)).toBe(path);
    const png = await readFile(path);
    expect(png.subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
    // Its parts: length, name, content, checksum of the two.
    const parts: Record<string, Buffer> = {};
    for (let at = 8; at < png.length; ) {
      const end = at + 8 + png.readUInt32BE(at);
      parts[png.toString('latin1', at + 4, at + 8)] = png.subarray(at + 8, end);
      at = end + 4;
    }
    expect(Object.keys(parts)).toEqual(['IHDR', 'IDAT', 'IEND']);
    // The checksum of the end is in the specification of PNG.
    expect(png.subarray(-4).toString('hex')).toBe('ae426082');
    const [width, height] = [2 * (2 * (3 + 2) + 2), 2 * (2 * (1 + 2) + 2)];
    expect(parts.IHDR?.toString('hex')).toBe(`${hex(width)}${hex(height)}0800000000`);
    const lines = inflateSync(parts.IDAT as Buffer);
    expect(lines).toHaveLength(height * (width + 1));
    const line = (y: number): number[] => [...lines.subarray(y * (width + 1), (y + 1) * (width + 1))];
    const twice = (...pixels: number[]): number[] => [0, ...pixels.flatMap((pixel) => [pixel, pixel])];
    const gap = [64, 64];
    expect(line(3)).toEqual(twice(...new Array(12).fill(64)));
    for (const y of [4, 5]) expect(line(y)).toEqual(twice(...gap, 0, 128, 255, ...gap, 255, 0, 64, ...gap));
    expect(line(10)).toEqual(twice(...gap, 255, 255, 255, ...gap, 64, 64, 64, ...gap));
  });
  const hex = (n: number): string => n.toString(16).padStart(8, '0');
});

describe('loadMnist', () => {
  it('loads the official split, verified', async () => {
    const { train, test } = await loadMnist();
    expect([train.count, train.rows, train.cols, train.images.length, train.labels.length]).toEqual([
      60000, 28, 28, 47040000, 60000,
    ]);
    expect([test.count, test.images.length, test.labels.length]).toEqual([10000, 7840000, 10000]);
    expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect([...test.labels.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
    const mean = train.images.reduce((a, b) => a + b, 0) / train.images.length / 255;
    expect(mean).toBeCloseTo(0.1307, 4);
  });

  it('takes the first images only, where there is a limit', async () => {
    const { train, test } = await loadMnist(undefined, 100);
    expect([train.count, train.images.length, train.labels.length, test.count]).toEqual([100, 78400, 100, 10000]);
  });

  it('names a missing file and refuses another one', async () => {
    await expect(loadMnist(join(folder, 'none'))).rejects.toThrow(DatasetError);
    await expect(loadMnist(join(folder, 'none'))).rejects.toThrow(/expected the file .*train-.*got ENOENT/);
    const wrong = join(folder, 'wrong');
    await mkdir(wrong);
    for (const name of ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1']) {
      await writeFile(join(wrong, `${name}-ubyte`), 'x');
    }
    await expect(loadMnist(wrong)).rejects.toThrow(/with SHA-256 [0-9a-f]{64}, got 2d711642.*damaged or not MNIST/);
  });
});

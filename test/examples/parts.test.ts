// The pieces of the examples that need no training: command lines, data, metrics, progress, pictures.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { init, tensor } from '../../bindings/index.ts';
import { DatasetError, loadMnist } from '../../examples/mnist/dataset.ts';
import { HELP, parseOptions, UsageError } from '../../examples/mnist/options.ts';
import { savePicture } from '../../examples/mnist/picture.ts';
import { createProgress, formatDuration } from '../../examples/mnist/progress.ts';
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

describe('createProgress', () => {
  /** A stream that keeps what is written. */
  function sink(isTTY: boolean) {
    const parts: string[] = [];
    const stream = { isTTY, columns: 120, hasColors: () => true, write: (part: string) => parts.push(part) > 0 };
    return { stream: stream as unknown as NodeJS.WriteStream, read: () => parts.join('') };
  }

  it('writes plain lines about every two seconds where there is no terminal', () => {
    const { stream, read } = sink(false);
    let time = 0;
    const progress = createProgress({ epochs: 2, images: 1000, stream, now: () => time });
    for (const epoch of [1, 2]) {
      progress.startEpoch(epoch);
      for (let done = 100; done <= 1000; done += 100) {
        time += 500;
        progress.update(done, 0.5, 0.875);
      }
      time += 60_000; // the test between epochs is no training time
      progress.endEpoch(`end of ${epoch}`);
    }
    progress.stop();
    expect(read().trimEnd().split('\n')).toEqual([
      'epoch 1/2  40%  loss 0.5000  acc 87.50 %  200 img/s  8 s left',
      'epoch 1/2  80%  loss 0.5000  acc 87.50 %  200 img/s  6 s left',
      'end of 1',
      'epoch 2/2  10%  loss 0.5000  acc 87.50 %  200 img/s  5 s left',
      'epoch 2/2  50%  loss 0.5000  acc 87.50 %  200 img/s  3 s left',
      'epoch 2/2  90%  loss 0.5000  acc 87.50 %  200 img/s  1 s left',
      'end of 2',
    ]);
  });

  it('shows no accuracy where there is none', () => {
    const { stream, read } = sink(false);
    let time = 0;
    const progress = createProgress({ epochs: 1, images: 100, stream, now: () => time });
    progress.startEpoch(1);
    time = 2000;
    progress.update(50, 0.5);
    expect(read()).toBe('epoch 1/1  50%  loss 0.5000  25 img/s  2 s left\n');
  });

  it('counts only images of this session in a resumed epoch', () => {
    const { stream, read } = sink(false);
    let time = 0;
    const progress = createProgress({ epochs: 1, images: 1000, stream, now: () => time });
    progress.startEpoch(1, 600);
    time = 2000;
    progress.update(700, Number.NaN, 0);
    expect(read()).toBe('epoch 1/1  70%  loss NaN  acc 0.00 %  50 img/s  6 s left\n');
  });

  it.each([
    ['', true],
    ['1', false],
  ])('draws a bar on a terminal; NO_COLOR=%j', (noColor, colored) => {
    vi.stubEnv('NO_COLOR', noColor);
    const { stream, read } = sink(true);
    const progress = createProgress({ epochs: 3, images: 1000, stream });
    try {
      progress.startEpoch(1);
      progress.update(500, 0.25, 0.9);
    } finally {
      progress.stop();
      progress.stop();
      vi.unstubAllEnvs();
    }
    expect(read()).toContain('epoch 1/3');
    expect(read()).toMatch(/█+░+.*50%.*loss 0\.2500.*acc 90\.00 %/);
    expect(read().includes('\x1b[36m')).toBe(colored);
    expect(read()).toContain('\x1b[?25h'); // the cursor is shown again
  });

  it('formats durations', () => {
    expect([0, 1.4, 89, 90, 605, 3600, 3725].map((seconds) => formatDuration(seconds))).toEqual([
      '0 s',
      '1 s',
      '89 s',
      '1:30 min',
      '10:05 min',
      '1:00:00 h',
      '1:02:05 h',
    ]);
  });
});

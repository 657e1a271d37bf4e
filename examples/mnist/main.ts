// Trains a classifier of handwritten digits from scratch: `npm start`, or `npm start -- --help` for what can be chosen.
import { existsSync, mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { backend, data, io } from 'retrograd';
import { init, rank, worldSize } from 'retrograd/distributed';
import { type Figures, formatDuration, ModelCheckpoint, ProgressBar, Report, type ReportImage } from 'retrograd/train';
import { DatasetError, type DigitSet, loadMnist } from './dataset.ts';
import { launch, STOP, withoutRanks } from './launch.ts';
import { MetricsLog } from './metrics.ts';
import { HELP, type Options, parseOptions, UsageError } from './options.ts';
import { figuresOfImages, percent } from './progress.ts';
import { CLASSES, countOf, Digits, fingerprintOf, TEST_BATCH, Training } from './training.ts';

/** How often a run saves itself against a crash. */
const SAVE_EVERY_SECONDS = 10;

/** How many digits the report shows, of those that the network was most wrong about. */
const MISTAKES = 60;

const rate = (images: number, seconds: number): number => Math.round(images / Math.max(seconds, 1e-9));

function describeBackend(): string {
  const { build, threads } = backend();
  const ranks = worldSize() > 1 ? `${worldSize()} ranks, each with ` : '';
  return `${build} SIMD, ${ranks}${threads === 1 ? 'one thread' : `${threads} threads`}`;
}

async function run(options: Options): Promise<void> {
  await init();
  const { train, test } = await loadMnist(options.data, options.limit);
  mkdirSync(options.out, { recursive: true });
  const file = (name: string): string => join(options.out, name);
  const checkpoint = file('checkpoint.safetensors');

  /** Figures of an epoch and the test after it. */
  const epochOf = ({ loss = 0, accuracy = 0, valLoss = 0, valAccuracy = 0 }: Readonly<Figures>) => {
    const { epoch: seconds } = training.clock;
    return {
      trainLoss: loss,
      trainAccuracy: accuracy,
      testLoss: valLoss,
      testAccuracy: valAccuracy,
      seconds,
      imagesPerSecond: rate(worldSize() * training.samples, seconds),
    };
  };
  const log = new MetricsLog(file('metrics.jsonl'), epochOf);
  const progress = new ProgressBar({
    unit: 'img',
    examples: Math.ceil(train.count / worldSize()),
    figures: figuresOfImages,
    summary: ({ epoch, epochs }, figures) => {
      const { trainLoss, trainAccuracy, testAccuracy, imagesPerSecond } = epochOf(figures);
      return `epoch ${epoch + 1}/${epochs}  loss ${trainLoss.toFixed(4)}  train ${percent(trainAccuracy)}  test ${percent(testAccuracy)}  ${imagesPerSecond} images/s`;
    },
  });
  const greeting = {
    firstRankOnly: true,
    onFitStart: () =>
      console.log(
        `${train.count} training and ${test.count} test images; ${countOf(training.model)} parameters; ${describeBackend()}`,
      ),
  };
  const saving = new ModelCheckpoint(
    { write: (_, bytes) => io.writeFileAtomic(checkpoint, bytes), remove: () => {} },
    { saveTopK: 0, everySeconds: SAVE_EVERY_SECONDS },
  );
  const { model, epochs, batchSize, optimizer, lr, seed, limit } = options;
  const report = new Report(file('report.html'), {
    title: /^mnist$/i.test(options.name) ? 'MNIST' : `MNIST, ${options.name}`,
    examples: new data.DataLoader(new Digits(test), { batchSize: TEST_BATCH }),
    classes: Array.from({ length: CLASSES }, (_, i) => String(i)),
    worst: MISTAKES,
    show: (_, i) => ({ image: inkOf(test, i) }),
    more: () => ({
      facts: {
        'training time': [formatDuration(training.clock.all), 'without tests'],
        speed: [speedOf(training, train).toLocaleString('en-US'), 'training images a second'],
        parameters: [countOf(training.model).toLocaleString('en-US'), 'trained numbers'],
      },
      tables: {
        Settings: {
          ...{ model, epochs, 'batch size': batchSize, optimizer, 'learning rate': lr, seed },
          ...(limit && { limit }),
        },
        Machine: {
          processor: cpus()[0]?.model.trim() ?? 'unknown',
          engine: `Node ${process.version}`,
          backend: describeBackend(),
        },
      },
    }),
  });
  const training = new Training(options, train, test, [log, greeting, progress, report, saving]);
  if (options.resume) {
    if (!existsSync(checkpoint))
      throw new UsageError(
        `--resume: expected a stopped run in ${options.out}, got no ${checkpoint}; start one without --resume`,
      );
    await training.resume(checkpoint);
  }
  if (worldSize() > 1) process.on(STOP, () => training.stop('interrupted'));
  const { stopped } = await training.fit(training.loader, { epochs: options.epochs, validation: training.test });
  if (stopped !== null && rank() === 0) {
    console.log(
      `Stopped after step ${training.step}; go on with: npm start -- --resume${options.out === 'runs/mnist' ? '' : ` --out ${options.out}`}`,
    );
  }
  await finish(options, training, speedOf(training, train), test.count);
}

/** Training images a second. */
const speedOf = ({ epoch, samples, clock }: Training, train: DigitSet): number =>
  rate(epoch * train.count + worldSize() * samples, clock.all);

/** An image as ink, to be seen on paper of any colour. */
function inkOf({ images, rows, cols }: DigitSet, i: number): ReportImage {
  const ink = images.subarray(i * rows * cols, (i + 1) * rows * cols);
  const pixels = new Uint8Array(2 * ink.length);
  for (const [at, alpha] of ink.entries()) pixels[2 * at + 1] = alpha;
  return { pixels, width: cols, height: rows, channels: 2 };
}

/** Writes the weights of a run, and says how it went. */
async function finish(options: Options, training: Training, speed: number, tests: number): Promise<void> {
  const { loss, accuracy } = await training.judged();
  if (rank() > 0) return;
  const file = (name: string): string => join(options.out, name);
  await io.saveSafetensors(file('model.safetensors'), training.model.stateDict(), { model: options.model });
  console.log(
    [
      '',
      `Test accuracy   ${percent(accuracy)}  (${Math.round((1 - accuracy) * tests)} of ${tests} wrong, loss ${loss.toFixed(4)})`,
      `Training        ${formatDuration(training.clock.all)}, ${training.step} steps, ${speed} images/s`,
      `Memory          ${(backend().memory.peak / 2 ** 20).toFixed(1)} MiB at its peak`,
      `Weights         ${file('model.safetensors')}  (SHA-256 of the numbers: ${fingerprintOf(training.model).slice(0, 16)})`,
      `Report          ${file('report.html')}`,
    ].join('\n'),
  );
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else if (options.ranks > 1) process.exitCode = await launch(options.ranks, withoutRanks(process.argv.slice(2)));
  else await run(options);
} catch (error) {
  if (!(error instanceof UsageError || error instanceof DatasetError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

// Trains a classifier of handwritten digits from scratch: `npm start`, or `npm start -- --help` for what can be chosen.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { backend, init, io } from 'retrograd';
import { type Evaluation, type Figures, formatDuration, ModelCheckpoint, ProgressBar } from 'retrograd/train';
import { DatasetError, type DigitSet, loadMnist } from './dataset.ts';
import { MetricsLog } from './metrics.ts';
import { HELP, type Options, parseOptions, UsageError } from './options.ts';
import { figuresOfImages, percent } from './progress.ts';
import { renderReport } from './report.ts';
import { CLASSES, countOf, fingerprintOf, type Judged, Training } from './training.ts';

/** How often a run saves itself against a crash. */
const SAVE_EVERY_SECONDS = 10;

const rate = (images: number, seconds: number): number => Math.round(images / Math.max(seconds, 1e-9));

interface Run {
  readonly options: Options;
  readonly training: Training;
  readonly log: MetricsLog;
  readonly train: DigitSet;
  readonly test: DigitSet;
}

function describeBackend(): string {
  const { build, threads } = backend();
  return `${build} SIMD, ${threads === 1 ? 'one thread' : `${threads} threads`}`;
}

async function run(options: Options): Promise<void> {
  await init();
  const { train, test } = await loadMnist(options.data, options.limit);
  mkdirSync(options.out, { recursive: true });
  const file = (name: string): string => join(options.out, name);
  const checkpoint = file('checkpoint.safetensors');

  /** Figures of an epoch and the test after it. */
  const epochOf = ({ loss = 0, accuracy = 0, valLoss = 0 }: Readonly<Figures>) => {
    const { epoch: seconds } = training.clock;
    return {
      trainLoss: loss,
      trainAccuracy: accuracy,
      testLoss: valLoss,
      testAccuracy: (training.evaluation?.judged.correct ?? 0) / test.count,
      seconds,
      imagesPerSecond: rate(training.samples, seconds),
    };
  };
  const log = new MetricsLog(file('metrics.jsonl'), epochOf);
  const progress = new ProgressBar({
    unit: 'img',
    examples: train.count,
    figures: figuresOfImages,
    summary: ({ epoch, epochs }, figures) => {
      const { trainLoss, trainAccuracy, testAccuracy, imagesPerSecond } = epochOf(figures);
      return `epoch ${epoch + 1}/${epochs}  loss ${trainLoss.toFixed(4)}  train ${percent(trainAccuracy)}  test ${percent(testAccuracy)}  ${imagesPerSecond} images/s`;
    },
  });
  const greeting = {
    onFitStart: () =>
      console.log(
        `${train.count} training and ${test.count} test images; ${countOf(training.model)} parameters; ${describeBackend()}`,
      ),
  };
  const saving = new ModelCheckpoint(
    { write: (_, bytes) => io.writeFileAtomic(checkpoint, bytes), remove: () => {} },
    { saveTopK: 0, everySeconds: SAVE_EVERY_SECONDS },
  );
  const training = new Training(options, train, test, [log, greeting, progress, saving]);
  if (options.resume) {
    if (!existsSync(checkpoint))
      throw new UsageError(
        `--resume: expected a stopped run in ${options.out}, got no ${checkpoint}; start one without --resume`,
      );
    await training.resume(checkpoint);
  }
  const { stopped } = await training.fit(training.loader, { epochs: options.epochs, validation: training.test });
  if (stopped !== null) {
    console.log(
      `Stopped after step ${training.step}; go on with: npm start -- --resume${options.out === 'runs/mnist' ? '' : ` --out ${options.out}`}`,
    );
  }
  const latest = training.batch === 0 ? training.evaluation : null;
  await finish({ options, training, log, train, test }, latest ?? (await training.evaluate(training.test)));
}

/** Writes the weights and the report of a run, and says how it went. */
async function finish(run: Run, { loss, judged }: Evaluation<Training['metrics']>): Promise<void> {
  const { options, training, log, train, test } = run;
  const { correct, confusion, mistakes }: Judged = judged;
  const seconds = training.clock.all;
  const file = (name: string): string => join(options.out, name);
  await io.saveSafetensors(file('model.safetensors'), training.model.stateDict(), { model: options.model });
  const imagesPerSecond = rate(training.epoch * train.count + training.samples, seconds);
  const { limit, epochs: count, batchSize, lr, optimizer, seed, model } = options;
  const html = renderReport({
    title: /^mnist$/i.test(options.name) ? 'MNIST' : `MNIST, ${options.name}`,
    date: new Date(),
    records: log.records,
    classes: Array.from({ length: CLASSES }, (_, i) => String(i)),
    confusion,
    mistakes,
    rows: test.rows,
    cols: test.cols,
    seconds,
    imagesPerSecond,
    parameters: countOf(training.model),
    settings: {
      model,
      epochs: count,
      'batch size': batchSize,
      optimizer,
      'learning rate': lr,
      seed,
      ...(limit && { limit }),
    },
    machine: {
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      engine: `Node ${process.version}`,
      backend: describeBackend(),
    },
  });
  writeFileSync(file('report.html'), html);
  console.log(
    [
      '',
      `Test accuracy   ${percent(correct / test.count)}  (${mistakes.length} of ${test.count} wrong, loss ${loss.toFixed(4)})`,
      `Training        ${formatDuration(seconds)}, ${training.step} steps, ${imagesPerSecond} images/s`,
      `Memory          ${(backend().memory.peak / 2 ** 20).toFixed(1)} MiB at its peak`,
      `Weights         ${file('model.safetensors')}  (SHA-256 of the numbers: ${fingerprintOf(training.model).slice(0, 16)})`,
      `Report          ${file('report.html')}`,
    ].join('\n'),
  );
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else await run(options);
} catch (error) {
  if (!(error instanceof UsageError || error instanceof DatasetError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

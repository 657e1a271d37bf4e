// Trains a classifier of handwritten digits from scratch: `npm start`, or `npm start -- --help` for what can be chosen.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { backend, init, io } from 'retrograd';
import { DatasetError, type DigitSet, loadMnist } from './dataset.ts';
import { MetricsLog } from './metrics.ts';
import { HELP, type Options, parseOptions, UsageError } from './options.ts';
import { createProgress, formatDuration } from './progress.ts';
import { renderReport } from './report.ts';
import { CLASSES, noTotals, type TestResult, Training } from './training.ts';

/** How often a run looks for Ctrl-C, and how often it saves itself against a crash. */
const LISTEN_EVERY_MS = 50;
const SAVE_EVERY_MS = 10_000;

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
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

  const training = new Training(options, train);
  if (options.resume) {
    if (!existsSync(checkpoint))
      throw new UsageError(
        `--resume: expected a stopped run in ${options.out}, got no ${checkpoint}; start one without --resume`,
      );
    await training.load(checkpoint);
  }
  const log = new MetricsLog(file('metrics.jsonl'), options.resume ? training.step : undefined);

  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);

  console.log(
    `${train.count} training and ${test.count} test images; ${training.parameters} parameters; ${describeBackend()}`,
  );
  const progress = createProgress({ epochs: options.epochs, images: train.count });
  let result: TestResult | undefined;
  try {
    result = await epochs();
  } finally {
    progress.stop();
    log.close();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  if (stopped) {
    console.log(
      `Stopped after step ${training.step}; go on with: npm start -- --resume${options.out === 'runs/mnist' ? '' : ` --out ${options.out}`}`,
    );
  }
  await finish({ options, training, log, train, test }, result ?? training.test(test));

  async function epochs(): Promise<TestResult | undefined> {
    let latest: TestResult | undefined;
    let listened = performance.now();
    let saved = listened;
    while (training.loader.state().epoch < options.epochs && !stopped) {
      const epoch = training.loader.state().epoch + 1;
      progress.startEpoch(epoch, training.totals.images);
      for (const [images, labels] of training.loader) {
        const { loss, accuracy, gradNorm } = training.trainStep(images, labels);
        log.append({ type: 'step', step: training.step, epoch, loss, accuracy, ...(gradNorm && { gradNorm }) });
        const { totals } = training;
        progress.update(totals.images, totals.loss / totals.images, totals.correct / totals.images);
        const now = performance.now();
        if (now - listened < LISTEN_EVERY_MS) continue;
        listened = now;
        await setImmediate();
        if (stopped || now - saved > SAVE_EVERY_MS) {
          await training.save(checkpoint);
          saved = now;
        }
        if (stopped) return undefined;
      }
      latest = training.test(test);
      const { images, loss, correct, seconds } = training.totals;
      log.append({
        type: 'epoch',
        step: training.step,
        epoch,
        trainLoss: loss / images,
        trainAccuracy: correct / images,
        testLoss: latest.loss,
        testAccuracy: latest.accuracy,
        seconds,
        imagesPerSecond: rate(images, seconds),
      });
      progress.endEpoch(
        `epoch ${epoch}/${options.epochs}  loss ${(loss / images).toFixed(4)}  train ${percent(correct / images)}  ` +
          `test ${percent(latest.accuracy)}  ${rate(images, seconds)} images/s`,
      );
      training.totals = noTotals();
      await training.save(checkpoint);
      await setImmediate(); // a Ctrl-C of the last moments
    }
    return latest;
  }
}

/** Writes the weights and the report of a run, and says how it went. */
async function finish(run: Run, { accuracy, loss, confusion, mistakes }: TestResult): Promise<void> {
  const { options, training, log, train, test } = run;
  const file = (name: string): string => join(options.out, name);
  await io.saveSafetensors(file('model.safetensors'), training.model.stateDict(), { model: options.model });
  const images = log.records.filter((record) => record.type === 'epoch').length * train.count + training.totals.images;
  const imagesPerSecond = rate(images, training.seconds);
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
    seconds: training.seconds,
    imagesPerSecond,
    parameters: training.parameters,
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
      `Test accuracy   ${percent(accuracy)}  (${mistakes.length} of ${test.count} wrong, loss ${loss.toFixed(4)})`,
      `Training        ${formatDuration(training.seconds)}, ${training.step} steps, ${imagesPerSecond} images/s`,
      `Memory          ${(backend().memory.peak / 2 ** 20).toFixed(1)} MiB at its peak`,
      `Weights         ${file('model.safetensors')}  (SHA-256 of the numbers: ${training.fingerprint().slice(0, 16)})`,
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

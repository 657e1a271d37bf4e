// npm run bench -- metrics: figures of a million predictions that stream by in batches, beside the loop that one writes
// over typed arrays, by turns; and scikit-learn's, where PYTHON has it, which gets all of them at once.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backend, init, manualSeed, randint, randn, scope, type Tensor } from 'retrograd';
import { Accuracy, AUROC, ConfusionMatrix, type Metric } from 'retrograd/train';
import { formatSeconds } from '../harness/report.ts';

const [COUNT, BATCH, CLASSES] = [1_000_000, 10_000, 10];

/** Scores of many classes and of one, and what is right. */
interface Predictions {
  readonly scores: Tensor;
  readonly labels: Tensor;
  readonly chances: Tensor;
  readonly signs: Tensor;
}

function predictions(): Predictions {
  manualSeed(1);
  const labels = randint(0, CLASSES, [COUNT]).keep();
  const signs = randint(0, 2, [COUNT]).keep();
  return scope(() => ({
    scores: randn([COUNT, CLASSES]).keep(),
    labels,
    chances: randn([COUNT]).add(signs.to('f32')).sigmoid().keep(),
    signs,
  }));
}

/** The figure of a metric over all batches. */
function streamed<V>(metric: Metric<V>, output: Tensor, target: Tensor): V {
  metric.reset();
  for (let at = 0; at < COUNT; at += BATCH)
    scope(() => metric.update(output.narrow(0, at, BATCH), target.narrow(0, at, BATCH)));
  return metric.compute();
}

/** The greatest of a row. */
function chosen(scores: Float32Array, row: number): number {
  let best = 0;
  const from = row * CLASSES;
  for (let c = 1; c < CLASSES; c++) if ((scores[from + c] as number) > (scores[from + best] as number)) best = c;
  return best;
}

function accuracyByHand(scores: Float32Array, labels: Int32Array): number {
  let right = 0;
  for (let i = 0; i < COUNT; i++) if (chosen(scores, i) === labels[i]) right++;
  return right / COUNT;
}

function confusionByHand(scores: Float32Array, labels: Int32Array): number[] {
  const cells = new Array<number>(CLASSES * CLASSES).fill(0);
  for (let i = 0; i < COUNT; i++) (cells[(labels[i] as number) * CLASSES + chosen(scores, i)] as number)++;
  return cells;
}

/** By ranks: how often a positive stands above a negative; of equal ones half. */
function aucByHand(chances: Float32Array, signs: Int32Array): number {
  const [above, below] = [
    chances.filter((_, i) => signs[i] === 1).sort(),
    chances.filter((_, i) => signs[i] === 0).sort(),
  ];
  let [less, same, wins] = [0, 0, 0];
  for (const x of above) {
    while (less < below.length && (below[less] as number) < x) less++;
    if (same < less) same = less;
    while (same < below.length && below[same] === x) same++;
    wins += less + (same - less) / 2;
  }
  return wins / (above.length * below.length);
}

const SCIKIT = `import sys, time, json, numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score
read = lambda name, kind: np.fromfile(sys.argv[1] + '/' + name, kind)
scores, labels = read('scores', np.float32).reshape(-1, ${CLASSES}), read('labels', np.int32)
chances, signs = read('chances', np.float32), read('signs', np.int32)
def best(f):
    times = []
    for _ in range(int(sys.argv[2])):
        t = time.perf_counter(); value = f(); times.append(time.perf_counter() - t)
    return [np.asarray(value).ravel().tolist(), min(times)]
print(json.dumps([best(lambda: accuracy_score(labels, scores.argmax(1))), best(lambda: confusion_matrix(labels, scores.argmax(1))), best(lambda: roc_auc_score(signs, chances))]))
`;

/** What scikit-learn gives, and the seconds of each; null where there is none. */
function byScikit(given: Predictions, rounds: number): [values: number[], seconds: number][] | null {
  const folder = mkdtempSync(join(tmpdir(), 'retrograd-metrics-'));
  try {
    for (const [name, { data }] of Object.entries(given))
      writeFileSync(join(folder, name), new Uint8Array(data.buffer));
    const args = ['-c', SCIKIT, folder, String(rounds)];
    return JSON.parse(
      execFileSync(process.env.PYTHON ?? 'python3', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One table: each figure by both, the best round, after both have given the same. */
export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  await init({ simd, threads: 1 });
  const given = predictions();
  const { scores, labels, chances, signs } = given;
  const plain = [scores.data, labels.data, chances.data, signs.data] as const;
  const [scoreData, labelData, chanceData, signData] = plain as unknown as [
    Float32Array,
    Int32Array,
    Float32Array,
    Int32Array,
  ];
  const [accuracy, confusion, auc] = [new Accuracy(), new ConfusionMatrix(), new AUROC()];
  const rows: [name: string, ours: () => number | number[], hand: () => number | number[]][] = [
    ['accuracy', () => streamed(accuracy, scores, labels), () => accuracyByHand(scoreData, labelData)],
    [
      'confusion matrix',
      () => (streamed(confusion, scores, labels) as number[][]).flat(),
      () => confusionByHand(scoreData, labelData),
    ],
    ['ROC AUC, exact', () => streamed(auc, chances, signs) as number, () => aucByHand(chanceData, signData)],
  ];
  const rounds = quick ? 1 : 12;
  const others = byScikit(given, rounds);
  const lines = rows.map(([name, ours, hand], place) => {
    const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    const answers: number[][] = others ? [(others[place] as [number[], number])[0]] : [];
    for (let round = 0; round < rounds; round++)
      for (const [i, side] of [ours, hand].entries()) {
        const started = performance.now();
        answers.push([side()].flat());
        best[i] = Math.min(best[i] as number, (performance.now() - started) / 1000);
      }
    for (const answer of answers)
      if (answer.some((x, i) => Math.abs(x - (answers[0]?.[i] as number)) > 1e-6))
        throw new Error(`metrics: expected one ${name} of all sides, got ${answers.map((each) => each[0])}`);
    const [own = 0, loop = 0] = best;
    const other = others?.[place]?.[1];
    const cell = (seconds: number | undefined): string =>
      seconds === undefined ? '– |' : `${formatSeconds(seconds)} | ${(seconds / own).toFixed(1)} ×`;
    return `| ${name} | ${formatSeconds(own)} | ${cell(loop)} | ${cell(other)} |`;
  });
  return [
    `${COUNT.toLocaleString('en-US')} predictions, batches of ${BATCH.toLocaleString('en-US')}; ${backend().build} SIMD, one thread, ${backend().engine}`,
    '',
    '| | retrograd | by hand | | scikit-learn | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

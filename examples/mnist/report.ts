// report.html: one file that shows a whole run. It loads nothing from anywhere; the plots are drawn by uPlot, inlined.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { EpochRecord, MetricsRecord, StepRecord } from './metrics.ts';
import { formatDuration } from './progress.ts';
import { drawReport, type PageData } from './report-page.ts';
import { STYLE } from './report-style.ts';

/** A test image that was taken for another class. */
export interface Mistake {
  /** rows × cols, 0 for paper to 255 for ink. */
  readonly pixels: Uint8Array;
  /** Index of the true class. */
  readonly label: number;
  /** Index of the class that was predicted. */
  readonly predicted: number;
  /** Probability of the prediction, 0 to 1. */
  readonly confidence: number;
  /** Place in the test set. */
  readonly index: number;
}

/** All that a report shows. Every text may hold any characters. */
export interface ReportData {
  readonly title: string;
  /** When the run ended. */
  readonly date: Date;
  /** The run's metrics in the order of their steps. */
  readonly records: readonly MetricsRecord[];
  readonly classes: readonly string[];
  /** Counts of test images: confusion[true class][predicted class]. */
  readonly confusion: readonly (readonly number[])[];
  /** Any number of them, in any order; the most confident ones are shown. */
  readonly mistakes: readonly Mistake[];
  /** Size of a mistake's image. */
  readonly rows: number;
  readonly cols: number;
  /** Seconds of training, without tests. */
  readonly seconds: number;
  /** Training images a second. */
  readonly imagesPerSecond: number;
  /** Count of trained numbers. */
  readonly parameters: number;
  /** Rows of the table of settings. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Rows of the table of machine and engine. */
  readonly machine: Readonly<Record<string, string | number | boolean>>;
}

const MAX_POINTS = 1200;
/** Beyond it, lines at the ends of epochs hide more than they tell. */
const MAX_MARKS = 30;
const MAX_MISTAKES = 60;

/** Makes text safe in HTML, within quotes too. */
export function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (mark) => names[mark] as string);
}

/** JSON that can stand in a script element: no tag and no comment can begin in it. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

/**
 * Smooths as exponential moving average over about `span` values, corrected for its start; as the mean of logarithms
 * where `log`. Values that are not finite (or not positive, for logarithms) leave a gap and no trace.
 */
function smooth(values: readonly number[], span: number, log = false): (number | null)[] {
  const keep = Math.exp(-1 / span);
  let sum = 0;
  let weight = 0;
  return values.map((raw) => {
    const value = log ? Math.log(raw) : raw;
    if (!Number.isFinite(value)) return null;
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return log ? Math.exp(sum / weight) : sum / weight;
  });
}

/** Five digits are more than a plot can show and keep the file small. */
const round = (value: number | null): number | null =>
  value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(5));

/** What the page's script draws: at most MAX_POINTS of the steps, evenly spread, the last one among them. */
function pageData(data: ReportData): PageData {
  const steps = data.records.filter((record): record is StepRecord => record.type === 'step');
  const epochs = data.records.filter((record): record is EpochRecord => record.type === 'epoch');
  const stride = Math.max(1, Math.ceil(steps.length / MAX_POINTS));
  const span = Math.max(8, Math.round(steps.length / 100));
  const thin = (values: readonly (number | null)[]) =>
    values.filter((_, i) => (values.length - 1 - i) % stride === 0).map(round);
  const pick = (field: 'loss' | 'accuracy') => {
    const values = steps.map((record) => record[field]);
    return { raw: thin(values), smooth: thin(smooth(values, span)) };
  };
  const layers = [...new Set(steps.flatMap((record) => Object.keys(record.gradNorm ?? {})))];
  const shown = [...data.mistakes].sort((a, b) => b.confidence - a.confidence).slice(0, MAX_MISTAKES);
  return {
    steps: thin(steps.map((record) => record.step)) as number[],
    loss: pick('loss'),
    accuracy: pick('accuracy'),
    epochs: {
      steps: epochs.map((record) => record.step),
      testLoss: epochs.map((record) => round(record.testLoss)),
      testAccuracy: epochs.map((record) => round(record.testAccuracy)),
    },
    epochMarks: epochs.length <= MAX_MARKS ? epochs.map((record) => record.step) : [],
    gradNorm: layers.map((name) => ({
      name,
      values: thin(smooth(held(steps.map((record) => record.gradNorm?.[name])), span, true)),
    })),
    span,
    digits: {
      rows: data.rows,
      cols: data.cols,
      pixels: Buffer.concat(shown.map((mistake) => mistake.pixels)).toString('base64'),
      items: shown.map(({ label, predicted, confidence, index }) => ({
        label: data.classes[label] ?? String(label),
        predicted: data.classes[predicted] ?? String(predicted),
        confidence: Number(confidence.toFixed(4)),
        index,
      })),
    },
  };
}

/** Norms need not be measured at every step; each holds until the next. */
function held(values: readonly (number | undefined)[]): number[] {
  let latest = Number.NaN;
  return values.map((value) => {
    latest = value ?? latest;
    return latest;
  });
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const count = (n: number): string => Math.round(n).toLocaleString('en-US');
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function card(label: string, value: string, note: string): string {
  return `<div class="stat"><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}<small>${escapeHtml(note)}</small></dd></div>`;
}

function table(title: string, rows: Readonly<Record<string, string | number | boolean>>): string {
  const body = Object.entries(rows).map(
    ([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(String(value))}</td></tr>`,
  );
  return `<section class="card"><h2>${escapeHtml(title)}</h2><table class="facts"><tbody>${body.join('')}</tbody></table></section>`;
}

/** The heat map, as a table that reads without script and without color. */
function confusionTable({ classes, confusion }: ReportData): string {
  const worst = Math.max(1, ...confusion.flatMap((row, t) => row.filter((_, p) => p !== t)));
  const columns = classes.map((_, p) => sum(confusion.map((row) => row[p] ?? 0)));
  const share = (n: number, of: number): string => (of > 0 ? `${((n / of) * 100).toFixed(1)}` : '–');
  const rows = classes.map((name, t) => {
    const row = confusion[t] ?? [];
    const total = sum(row);
    const cells = classes.map((predicted, p) => {
      const n = row[p] ?? 0;
      const heat = t === p ? n / Math.max(1, total) : n === 0 ? 0 : 0.12 + 0.73 * (n / worst);
      const kind = t === p ? 'right' : n === 0 ? 'none' : 'wrong';
      const title = escapeHtml(`${n} × ${name} taken for ${predicted}`);
      return `<td class="${kind}${heat > 0.62 ? ' strong' : ''}" style="--heat:${heat.toFixed(3)}" title="${title}">${n}</td>`;
    });
    return `<tr><th scope="row">${escapeHtml(name)}</th>${cells.join('')}<td class="share">${share(row[t] ?? 0, total)}</td></tr>`;
  });
  const heads = classes.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('');
  const precision = classes.map((_, p) => `<td class="share">${share(confusion[p]?.[p] ?? 0, columns[p] ?? 0)}</td>`);
  return `<table class="confusion">
<caption>Rows: true class. Columns: prediction. Counts of test images.</caption>
<thead><tr><th></th>${heads}<th scope="col" class="share" title="share of the row that is right">recall %</th></tr></thead>
<tbody>${rows.join('\n')}</tbody>
<tfoot><tr><th scope="row" class="share" title="share of the column that is right">prec. %</th>${precision.join('')}<td></td></tr></tfoot>
</table>`;
}

/** uPlot as it is published, made safe to stand inside an element. */
function uplot(): { script: string; style: string } {
  const require = createRequire(import.meta.url);
  const read = (name: string): string => readFileSync(require.resolve(`uplot/dist/${name}`), 'utf8');
  return { script: read('uPlot.iife.min.js').replace(/<\/(?=script)/gi, '<\\/'), style: read('uPlot.min.css') };
}

/**
 * Renders the report of a run as one HTML document.
 *
 * The document holds its styles, scripts and data, works from file://, and its own Content-Security-Policy forbids it
 * to load anything. The tables need no script.
 */
export function renderReport(data: ReportData): string {
  const page = pageData(data);
  const plot = uplot();
  const tested = sum(data.confusion.map(sum));
  const right = sum(data.confusion.map((row, t) => row[t] ?? 0));
  const wrong = tested - right;
  const epochs = page.epochs.steps.length;
  const shown = page.digits.items.length;
  const chart = (id: string, title: string, note: string, tools = ''): string =>
    `<section class="card"><header><h2>${title}</h2>${tools}</header><p class="note">${note}</p><div class="chart" id="${id}"></div></section>`;

  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(data.title)}</title>
<style>${plot.style}
${STYLE}</style>
</head>
<body>
<main>
<header class="top">
<h1>${escapeHtml(data.title)}</h1>
<p><time datetime="${data.date.toISOString()}">${escapeHtml(data.date.toISOString().slice(0, 16).replace('T', ' '))} UTC</time></p>
</header>
<dl class="stats">
${card('Test accuracy', percent(tested > 0 ? right / tested : 0), `${count(right)} of ${count(tested)} test images`)}
${card('Training time', formatDuration(data.seconds), `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}, without tests`)}
${card('Speed', `${count(data.imagesPerSecond)}`, 'training images a second')}
${card('Parameters', count(data.parameters), 'trained numbers')}
</dl>
<div class="pair">
${chart('loss', 'Loss', `Lower is better. Smoothed over about ${page.span} steps${page.epochMarks.length > 0 ? '; dashed lines end epochs' : ''}.`, '<button type="button" id="loss-scale" aria-pressed="true">log scale</button>')}
${chart('accuracy', 'Accuracy', 'Higher is better. The first steps may lie below the plot.')}
</div>
${chart('gradients', 'Gradient norm', `L2 norm of each layer’s gradient, log scale, smoothed over about ${page.span} steps. Drag to zoom, double-click to reset, click a name to hide it.`)}
<div class="pair uneven">
<section class="card"><h2>Confusion matrix</h2>${confusionTable(data)}</section>
<div class="stack">
${table('Settings', data.settings)}
${table('Machine', data.machine)}
</div>
</div>
<section class="card"><h2>Mistakes</h2>
<p class="note">${wrong === 0 ? 'None.' : `${shown < wrong ? `${shown} of ${count(wrong)}` : `All ${count(wrong)}`}, the most confident first: true → predicted, and how sure the network was.`}</p>
<div id="digits"></div></section>
<noscript><p class="note">The plots and digits need JavaScript; the tables do not.</p></noscript>
<footer>Made by retrograd. This file is self-contained.</footer>
</main>
<script type="application/json" id="report-data">${scriptJson(page)}</script>
<script>${plot.script}</script>
<script>(${drawReport.toString()})(uPlot);</script>
</body>
</html>
`;
}

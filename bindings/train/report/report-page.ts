// A training as one page that needs nothing else; its script only reads charts out where the pointer is.
import { bars, type Line, least, lineChart, most, picture, scatterChart } from '../../page/charts.ts';
import { card, escaped, htmlPage, short, stats, table } from '../../page/html.ts';
import { encodePng } from '../../page/png.ts';
import { STYLE as CONFUSION, confusionCard } from './confusion.ts';
import type { FigureRow, ReportClasses, ReportData, ReportExample } from './data.ts';
import { READOUT } from './readout.ts';

/** Curves of layers beside each other that can be told apart, dashed ones included. */
const MOST_LAYERS = 16;
/** Beyond it, marks of epochs hide more than they tell. */
const MOST_MARKS = 12;

/** Rows that one smoothed value is the mean of, about. */
const spanOf = (values: readonly number[]): number => Math.max(4, Math.round(values.length / 60));

/**
 * An exponential mean over some values, of their logarithms where `log`, corrected for its start. What is not finite
 * leaves a gap.
 */
function smooth(values: readonly number[], log = false): number[] {
  const keep = Math.exp(-1 / spanOf(values));
  let [sum, weight] = [0, 0];
  return values.map((raw) => {
    const value = log ? Math.log(raw) : raw;
    if (!Number.isFinite(value)) return Number.NaN;
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return log ? Math.exp(sum / weight) : sum / weight;
  });
}

/** Steps of the beginning, as a share of all, that may lie outside of a chart. */
const CLIMB = 0.05;

/**
 * Leaves out what the first steps have where it would press all the rest against an edge.
 * @returns the lines, and whether anything is left out
 */
function settled(lines: readonly Line[]): readonly [lines: readonly Line[], cut: boolean] {
  const last = most(lines.map(({ x }) => x[x.length - 1] ?? 0));
  const ends = (from: number): readonly [low: number, high: number] => {
    const inside = ({ x, y }: Line) => Array.from(y).filter((v, i) => (x[i] as number) >= from && Number.isFinite(v));
    const shown = lines.flatMap(inside);
    return [least(shown), most(shown)];
  };
  const [all, rest] = [ends(0), ends(CLIMB * last)];
  if (!(all[1] - all[0] > 1.5 * (rest[1] - rest[0]) && rest[1] > rest[0])) return [lines, false];
  const inside = (value: number): number => (value >= rest[0] && value <= rest[1] ? value : Number.NaN);
  return [lines.map((line) => ({ ...line, y: Array.from(line.y, inside) })), true];
}

const namesIn = (rows: readonly FigureRow[]): string[] => [
  ...new Set(rows.flatMap(({ figures }) => Object.keys(figures))),
];
const valuesOf = (rows: readonly FigureRow[], name: string): number[] =>
  rows.map(({ figures }) => figures[name] ?? Number.NaN);
const stepsOf = (rows: readonly FigureRow[]): number[] => rows.map(({ step }) => step);

/** Where epochs end, but for the last. */
const marksOf = (epochs: readonly FigureRow[]): number[] =>
  epochs.length > 1 && epochs.length <= MOST_MARKS ? stepsOf(epochs).slice(0, -1) : [];

/** Words of a name in camelCase. */
const title = (name: string): string => {
  const words = name
    .replace(/^val(?=[A-Z])/, 'validation')
    .replace(/[A-Z](?=[a-z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return words === 'lr' ? 'Learning rate' : `${words[0]?.toUpperCase()}${words.slice(1)}`;
};
/** `valLoss` is drawn beside `loss`. */
const plain = (name: string): string => {
  const rest = /^val([A-Z].*)/.exec(name)?.[1];
  return rest ? `${rest[0]?.toLowerCase()}${rest.slice(1)}` : name;
};

/** A figure's lines: of steps, smoothed over them, or of epochs; and of validations. */
function linesOf(name: string, { steps = [], epochs = [] }: ReportData): Line[] {
  const lines: Line[] = [];
  const [x, ends] = [stepsOf(steps), stepsOf(epochs)];
  const [values, means] = [valuesOf(steps, name), valuesOf(epochs, name)];
  const tested = valuesOf(epochs, `val${name[0]?.toUpperCase()}${name.slice(1)}`);
  if (values.some(Number.isFinite)) {
    const noisy = name !== 'lr' && values.length > 30;
    if (noisy) lines.push({ label: 'each step', x, y: values, colour: 0, faint: true });
    const label = noisy ? 'training, smoothed' : 'training';
    lines.push({ label, x, y: noisy ? smooth(values) : values, colour: 0 });
  } else if (means.some(Number.isFinite)) lines.push({ label: 'training', x: ends, y: means, colour: 0 });
  if (tested.some(Number.isFinite)) lines.push({ label: 'validation', x: ends, y: tested, colour: 1 });
  return lines;
}

/** A chart for each figure. */
function curves(data: ReportData): string[] {
  const { steps = [], epochs = [] } = data;
  const all = [...new Set([...namesIn(steps), ...namesIn(epochs)].map(plain))];
  const first = (name: string): number => (name === 'loss' ? 0 : name === 'lr' ? 2 : 1);
  const names = all.filter((name) => name !== 'epoch').sort((a, b) => first(a) - first(b));
  const marks = marksOf(epochs);
  return names.flatMap((name) => {
    const lines = linesOf(name, data);
    if (lines.length === 0) return [];
    const shown = lines.flatMap(({ y }) => Array.from(y)).filter(Number.isFinite);
    const logY = shown.every((value) => value > 0) && most(shown) > 30 * least(shown);
    const [drawn, cut] = logY || steps.length < 100 ? [lines, false] : settled(lines);
    const chart = lineChart(drawn, { label: `${title(name)} by step`, logY, marks, tells: true });
    const note = [
      marks.length > 0 && name !== 'lr' ? 'By step; dashed lines end epochs.' : 'By step.',
      ...(logY ? ['Logarithmic.'] : []),
      ...(cut ? ['Some of the first steps lie outside.'] : []),
    ];
    return [card(title(name), chart, { note: note.join(' ') })];
  });
}

function gradientCard({ gradients, epochs = [] }: ReportData): string[] {
  const layers = Object.entries(gradients?.norms ?? {});
  if (!gradients || gradients.steps.length === 0 || layers.length === 0) return [];
  // Weights say more than biases, where there are too many.
  const weights = layers.filter(([name]) => !name.endsWith('bias'));
  const shown = (layers.length > MOST_LAYERS && weights.length > 0 ? weights : layers).slice(0, MOST_LAYERS);
  const noisy = gradients.steps.length > 30;
  const lines = shown.map(([label, y]) => ({ label, x: gradients.steps, y: noisy ? smooth(y, true) : y }));
  const left = layers.length - shown.length;
  const note = `The L2 norm of each layer’s gradient, logarithmic${noisy ? ', smoothed' : ''}${left > 0 ? `; ${left} of ${layers.length} are left out` : ''}.`;
  return [
    card(
      'Gradients',
      lineChart(lines, { label: 'Norms of gradients by step', logY: true, marks: marksOf(epochs), tells: true }),
      {
        note,
      },
    ),
  ];
}

/** The diagonal from 0 to 1, to which curves are held. */
const DIAGONAL = { label: 'as by chance', x: [0, 1], y: [0, 1], colour: 7, faint: true };

function classCards(data: ReportClasses): string[] {
  const { roc = [], calibration } = data;
  const cards = [confusionCard(data)];
  if (roc.length > 0) {
    const lines = roc.map(({ label, fpr, tpr }) => ({ label, x: fpr, y: tpr }));
    const note = 'The share of a class that is found (up) for the share of others taken for it (across).';
    cards.push(card('ROC', lineChart([...lines, DIAGONAL], { label: 'ROC' }), { note }));
  }
  if (calibration && calibration.confidence.length > 0) {
    const line = { label: 'the model', x: calibration.confidence, y: calibration.accuracy, colour: 0 };
    const note =
      'How often it was right (up) by how sure it was (across). Below the pale line it is too sure of itself.';
    cards.push(card('Calibration', lineChart([line, DIAGONAL], { label: 'Calibration' }), { note }));
  }
  return cards;
}

/** How many ranges residuals are counted in. */
const BINS = 31;

function regressionCards({ target, predicted }: NonNullable<ReportData['regression']>): string[] {
  const residuals = Array.from(target, (value, i) => (predicted[i] as number) - value).filter(Number.isFinite);
  if (residuals.length === 0) return [];
  const far = residuals.reduce((most, x) => Math.max(most, Math.abs(x)), 0) || 1;
  const counts = new Array<number>(BINS).fill(0);
  for (const x of residuals) (counts[Math.min(BINS - 1, Math.floor(((x + far) / (2 * far)) * BINS))] as number)++;
  const edge = (i: number): string => short(-far + (2 * far * i) / BINS, 3);
  const named = counts.map((count, i) => [`${edge(i)} … ${edge(i + 1)}`, count] as const);
  const ends = `<p class="soft ends"><span>${edge(0)}</span><span>0</span><span>${edge(BINS)}</span></p>`;
  return [
    card('Predicted by true', scatterChart(target, predicted, 'Predicted by true'), {
      note: 'True values across, predictions up. On the dashed line they are the same.',
    }),
    card('Residuals', bars(named, 'How often residuals come') + ends, { note: 'Predicted less true.' }),
    card(
      'Residual by predicted',
      scatterChart(predicted, residuals, 'Residual by predicted').replace(/<path [^>]*dasharray="4 4"\/>/, ''),
      {
        note: 'Predictions across. A pattern here is something that the model has not learned.',
      },
    ),
  ];
}

async function exampleOf(example: ReportExample): Promise<string> {
  const { image, text, row, target, predicted, confidence, score, index } = example;
  const shown: string[] = [];
  if (image) {
    const png = await encodePng(image.pixels, image.width, image.height, image.channels);
    const img = picture(png, `${target}, taken for ${predicted}`);
    shown.push(image.channels === 2 ? `<div class="ink">${img}</div>` : img);
  }
  if (text !== undefined) shown.push(`<p class="text">${escaped(text)}</p>`);
  if (row)
    shown.push(
      table(Object.entries(row).map(([name, value]) => [name, typeof value === 'number' ? short(value) : value])),
    );
  const sure = confidence === undefined ? short(score, 3) : `${(100 * confidence).toFixed(0)}%`;
  const kind = predicted === target ? '' : ' class="wrong"';
  const caption = `<span><b>${escaped(target)}</b> → <b${kind}>${escaped(predicted)}</b></span> <small>${sure}</small>`;
  const place = `${index === undefined ? '' : `example ${index}, `}cost ${short(score, 3)}`;
  return `<figure title="${place}">${shown.join('')}<figcaption>${caption}</figcaption></figure>`;
}

const STYLE = `${CONFUSION}main{grid-auto-flow:dense}.tables{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr))}.worst{display:grid;gap:10px;grid-template-columns:repeat(auto-fill,minmax(min(100%,88px),1fr))}.worst.broad{grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr))}
figure{margin:0;min-width:0;padding:8px;border-radius:8px;background:var(--paper)}figure img{display:block;width:100%}figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:0 6px;margin-top:4px;font-size:13px;overflow-wrap:anywhere}figcaption small{color:var(--soft);font-size:11px}@media(max-width:480px){.worst{gap:8px}.worst:not(.broad){grid-template-columns:repeat(auto-fill,minmax(68px,1fr))}figure{padding:6px 5px}figcaption{font-size:12px}}.wrong{color:var(--bad)}.text{white-space:pre-wrap;overflow-wrap:anywhere;font-size:14px}
@media(prefers-color-scheme:dark){.ink{filter:invert(1)}}.ends{display:flex;justify-content:space-between;margin:4px 0 0}`;

async function worstCard({ worst = [] }: ReportData): Promise<string[]> {
  if (worst.length === 0) return [];
  const all = await Promise.all(worst.map(exampleOf));
  const broad = worst.some(({ text, row }) => text !== undefined || row) ? ' broad' : '';
  const sure = worst.some(({ confidence }) => confidence !== undefined);
  const note = `What it is → what it was taken for, and how ${sure ? 'sure of that it was' : 'wrong that is'}; the worst first.`;
  return [card('Worst examples', `<div class="worst${broad}">${all.join('')}</div>`, { note, wide: true })];
}

const words = (value: string | number | boolean): string =>
  typeof value === 'number' ? short(value, 6) : String(value);

/** Tables side by side, as many as the page is wide for. */
function tableCards(tables: NonNullable<ReportData['tables']>): string[] {
  const cards = Object.entries(tables).map(([name, rows]) =>
    card(name, table(Object.entries(rows).map(([key, value]) => [key, words(value)]))),
  );
  return cards.length > 0 ? [`<div class="wide tables">${cards.join('')}</div>`] : [];
}

/** The page. */
export async function pageOf(data: ReportData): Promise<string> {
  const { title: heading, subtitle = '', facts = {}, classification, regression, tables = {} } = data;
  const top = Object.entries(facts).map(([name, fact]) => {
    const [value, note = ''] = [fact].flat() as [string | number, string?];
    return [title(name), typeof value === 'number' ? short(value, 4) : value, note] as const;
  });
  const body = [
    top.length > 0 ? `<section class="card wide">${stats(top)}</section>` : '',
    ...curves(data),
    ...gradientCard(data),
    ...(classification ? classCards(classification) : []),
    ...(regression ? regressionCards(regression) : []),
    ...tableCards(tables),
    ...(await worstCard(data)),
  ];
  return htmlPage({ title: heading, subtitle, body: [...body, READOUT], style: STYLE });
}

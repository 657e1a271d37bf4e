// A training as one page that needs nothing else, not even a script.
import { bars, type Line, lineChart, picture, scatterChart } from '../../page/charts.ts';
import { card, escaped, htmlPage, short, stats, table } from '../../page/html.ts';
import { encodePng } from '../../page/png.ts';
import { STYLE as CONFUSION, confusionCard } from './confusion.ts';
import type { FigureRow, ReportClasses, ReportData, ReportExample } from './data.ts';

/** Curves of layers beside each other that can be told apart, dashed ones included. */
const MOST_LAYERS = 16;
/** Beyond it, marks of epochs hide more than they tell. */
const MOST_MARKS = 12;

/** An exponential mean over about `span` values, corrected for its start. What is not finite leaves a gap. */
function smooth(values: readonly number[], span: number): number[] {
  const keep = Math.exp(-1 / span);
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    if (!Number.isFinite(value)) return Number.NaN;
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return sum / weight;
  });
}

const namesIn = (rows: readonly FigureRow[]): string[] => [
  ...new Set(rows.flatMap(({ figures }) => Object.keys(figures))),
];
const valuesOf = (rows: readonly FigureRow[], name: string): number[] =>
  rows.map(({ figures }) => figures[name] ?? Number.NaN);
const stepsOf = (rows: readonly FigureRow[]): number[] => rows.map(({ step }) => step);

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

/** A chart for each figure: of steps, smoothed over them, of epochs, and of validations. */
function curves({ steps = [], epochs = [] }: ReportData): string[] {
  const all = [...new Set([...namesIn(steps), ...namesIn(epochs)].map(plain))];
  const first = (name: string): number => (name === 'loss' ? 0 : name === 'lr' ? 2 : 1);
  const names = all.filter((name) => name !== 'epoch').sort((a, b) => first(a) - first(b));
  const marks = epochs.length > 1 && epochs.length <= MOST_MARKS ? stepsOf(epochs).slice(0, -1) : [];
  return names.flatMap((name) => {
    const lines: Line[] = [];
    const values = valuesOf(steps, name);
    const x = stepsOf(steps);
    const validation = `val${name[0]?.toUpperCase()}${name.slice(1)}`;
    const tested = valuesOf(epochs, validation);
    if (values.some(Number.isFinite)) {
      const span = Math.max(4, Math.round(values.length / 60));
      const noisy = name !== 'lr' && values.length > 30;
      if (noisy) lines.push({ label: 'each step', x, y: values, colour: 0, faint: true });
      lines.push({
        label: noisy ? 'training, smoothed' : 'training',
        x,
        y: noisy ? smooth(values, span) : values,
        colour: 0,
      });
    } else if (valuesOf(epochs, name).some(Number.isFinite))
      lines.push({ label: 'training', x: stepsOf(epochs), y: valuesOf(epochs, name), colour: 0 });
    if (tested.some(Number.isFinite)) lines.push({ label: 'validation', x: stepsOf(epochs), y: tested, colour: 1 });
    if (lines.length === 0) return [];
    const positive = lines.every(({ y }) => Array.from(y).every((value) => !(value <= 0)));
    const shown = lines.flatMap(({ y }) => Array.from(y)).filter(Number.isFinite);
    const wide = Math.max(...shown) > 30 * Math.min(...shown);
    const chart = lineChart(lines, { label: `${title(name)} by step`, logY: positive && wide, marks });
    const note = marks.length > 0 && name !== 'lr' ? 'By step; dashed lines end epochs.' : 'By step.';
    return [card(title(name), chart, { note: positive && wide ? `${note} Logarithmic.` : note })];
  });
}

function gradientCard({ gradients }: ReportData): string[] {
  const layers = Object.entries(gradients?.norms ?? {});
  if (!gradients || gradients.steps.length === 0 || layers.length === 0) return [];
  // Weights say more than biases, where there are too many.
  const weights = layers.filter(([name]) => !name.endsWith('bias'));
  const shown = (layers.length > MOST_LAYERS && weights.length > 0 ? weights : layers).slice(0, MOST_LAYERS);
  const lines = shown.map(([label, y]) => ({ label, x: gradients.steps, y }));
  const left = layers.length - shown.length;
  const note = `The L2 norm of each layer’s gradient, logarithmic${left > 0 ? `; ${left} of ${layers.length} are left out` : ''}.`;
  return [card('Gradients', lineChart(lines, { label: 'Norms of gradients by step', logY: true }), { note })];
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

async function exampleOf({ image, text, row, target, predicted, score, index }: ReportExample): Promise<string> {
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
  const caption = `<b>${escaped(target)}</b> → <b class="${predicted.startsWith(`${target} (`) ? '' : 'wrong'}">${escaped(predicted)}</b> <small>${short(score, 3)}</small>`;
  return `<figure${index === undefined ? '' : ` title="example ${index}"`}>${shown.join('')}<figcaption>${caption}</figcaption></figure>`;
}

const STYLE = `${CONFUSION}main{grid-auto-flow:dense}.worst{display:grid;gap:10px;grid-template-columns:repeat(auto-fill,minmax(min(100%,112px),1fr))}.worst.broad{grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr))}
figure{margin:0;min-width:0;padding:8px;border-radius:8px;background:var(--paper)}figure img{display:block;width:100%}figcaption{margin-top:4px;font-size:13px;overflow-wrap:anywhere}figcaption small{color:var(--soft);float:right}.wrong{color:var(--bad)}.text{white-space:pre-wrap;overflow-wrap:anywhere;font-size:14px}
@media(prefers-color-scheme:dark){.ink{filter:invert(1)}}.ends{display:flex;justify-content:space-between;margin:4px 0 0}`;

async function worstCard({ worst = [] }: ReportData): Promise<string[]> {
  if (worst.length === 0) return [];
  const all = await Promise.all(worst.map(exampleOf));
  const broad = worst.some(({ text, row }) => text !== undefined || row) ? ' broad' : '';
  const note = 'What it is → what it was taken for, and how wrong that is; the worst first.';
  return [card('Worst examples', `<div class="worst${broad}">${all.join('')}</div>`, { note, wide: true })];
}

const words = (value: string | number | boolean): string =>
  typeof value === 'number' ? short(value, 6) : String(value);

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
    ...(await worstCard(data)),
    ...Object.entries(tables).map(([name, rows]) =>
      card(name, table(Object.entries(rows).map(([key, value]) => [key, words(value)]))),
    ),
  ];
  return htmlPage({ title: heading, subtitle, body, style: STYLE });
}

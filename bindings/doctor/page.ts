// The report as a page: what was found, and the curves and tables behind it.
import { bars, type Line, lineChart } from '../page/charts.ts';
import { card, escaped, htmlPage, short, stats, table } from '../page/html.ts';
import type { Watcher } from './doctor.ts';
import type { Evidence } from './evidence.ts';
import type { Activation } from './facts.ts';
import type { Finding } from './finding.ts';
import type { Norms } from './light.ts';
import type { GradientNoise } from './noise.ts';
import type { Weight } from './patient.ts';

const place = ({ where, line }: Finding): string =>
  [where === null ? '' : where || 'the model', line].filter(Boolean).join(' · ');

function findingCard(finding: Finding): string {
  const { id, kind, confidence, what, why, remedy } = finding;
  const sure = `${Math.round(100 * confidence)} % sure${kind === 'hint' ? ', a hint' : ''}`;
  const note = [place(finding), sure].filter(Boolean).join(' · ');
  const html = `<p>${escaped(what)}</p><p>${escaped(why)}</p><pre>${escaped(remedy)}</pre>`;
  return `<section class="card wide ${kind}"><h2>${escaped(id.replaceAll('-', ' '))}</h2><p class="soft">${escaped(note)}</p>${html}</section>`;
}

/** More lines than these are not told apart. */
const MOST_LINES = 8;

/** Weights that stand for all: evenly chosen. */
function chosen(weights: readonly Weight[]): Weight[] {
  const large = weights.filter(({ x, path }) => x.ndim > 1 && path !== '');
  const step = Math.max(1, large.length / MOST_LINES);
  return Array.from({ length: Math.min(MOST_LINES, large.length) }, (_, i) => large[Math.floor(i * step)] as Weight);
}

/** One line a weight, of what `value` says at each step that was measured. */
function curves({ weights, history: { lights } }: Evidence, value: (norms: Norms) => number): Line[] {
  const x = lights.map(({ step }) => step);
  return chosen(weights).map(({ path, x: weight }) => ({
    label: path,
    x,
    y: lights.map(({ norms }) => {
      const own = norms.get(weight);
      return own ? value(own) : Number.NaN;
    }),
  }));
}

function lossChart({ history, steps }: Evidence): string {
  const { losses, closes } = history;
  // Of long trainings the first half of what was noted is thinner: places follow from the count.
  const every = steps / Math.max(1, losses.length);
  const lines: Line[] = [{ label: 'loss of each step', x: losses.map((_, i) => i * every), y: losses }];
  const held = closes.flatMap(({ step, validation }) => (validation ? [{ step, loss: validation.loss }] : []));
  if (held.length > 0)
    lines.push({ label: 'validation', x: held.map(({ step }) => step), y: held.map(({ loss }) => loss) });
  const finite = lines.flatMap(({ y }) => Array.from(y)).filter(Number.isFinite);
  const low = Math.min(...finite);
  return lineChart(lines, { label: 'The loss by steps', logY: low > 0 && Math.max(...finite) > 30 * low });
}

function activationCard({ op, path, feeder, units, dead, saturated, rms, histogram }: Activation): string {
  const { low, high, counts } = histogram;
  const step = (high - low) / Math.max(1, counts.length);
  const labelled = counts.map((count, i) => [short(low + i * step, 3), count] as const);
  const facts = [`${units} units`, `scale ${short(rms, 3)}`];
  if (op === 'relu') facts.push(`${short(100 * dead, 3)} % dead`);
  if (saturated > 0) facts.push(`${short(100 * saturated, 3)} % at the ends`);
  const title = `${op}${path ? ` in ${path}` : ''}${feeder ? `, behind ${feeder}` : ''}`;
  if (counts.length === 0) return card(title, '<p>All values are the same.</p>', { note: facts.join(' · ') });
  return card(title, bars(labelled, `Values of ${title}`), { note: facts.join(' · ') });
}

function weightTable({ weights, history, after, before }: Evidence): string {
  const last = history.lights.at(-1);
  const facts = new Map((after ?? before)?.weights.map((fact) => [fact.path, fact]));
  const rows = weights.slice(0, 200).map(({ path, x, group }) => {
    const norms = last?.norms.get(x);
    const number = (value: number | null | undefined): string =>
      value === null || value === undefined || Number.isNaN(value) ? '–' : short(value, 3);
    const ratio = norms && norms.weight > 0 ? norms.update / norms.weight : Number.NaN;
    const gain = facts.get(path)?.gain;
    return [
      path || '(not of the model)',
      `[${x.sizes}]`,
      group ? 'yes' : 'no',
      number(norms?.weight),
      number(norms?.gradient),
      number(ratio),
      number(gain),
    ];
  });
  return table(rows, ['parameter', 'shape', 'in the optimizer', 'norm', 'gradient', 'update ÷ norm', 'gain']);
}

/** How much of the gradients is chance, and how that came to be. */
function noiseCard({ chance, history: { closes } }: Evidence): string[] {
  if (!chance) return [];
  const looks = closes.flatMap(({ step, spread }) => (spread ? [{ step, ...spread }] : []));
  const x = looks.map(({ step }) => step);
  const signal = looks.map(({ square, trace, rows }) => Math.max(0, square - trace / rows) || Number.NaN);
  const lines: Line[] = [
    { label: 'the gradient, squared', x, y: signal },
    { label: 'what is chance in it', x, y: looks.map(({ trace, rows }) => trace / rows) },
  ];
  const number = (value: number): string => (value > 1e9 ? '∞' : short(value, 3));
  const rows = (
    [
      ['noise scale, in rows', 'scale'],
      ['rows of a batch', 'batchSize'],
      ['norm test', 'normTest'],
      ['inner product test', 'innerProductTest'],
      ['orthogonality test', 'orthogonalityTest'],
    ] as const
  ).map(([label, name]: readonly [string, keyof GradientNoise]) => [label, number(chance[name])] as const);
  const chart = looks.length > 1 ? lineChart(lines, { label: 'Gradients and what is chance in them', logY: true }) : '';
  return [
    card('Gradient noise', stats(rows) + chart, {
      note: 'Of gradients of parts of a batch. Tests above 1: steps are more chance than way, and larger batches pay.',
    }),
  ];
}

const STYLE =
  '.scroll table{min-width:540px}th,td{overflow-wrap:normal}.fault{border-left:5px solid var(--bad)}.hint{border-left:5px solid var(--line)}';

/** The page, as HTML. */
export function pageOf({ steps }: Watcher, findings: readonly Finding[], evidence: Evidence): string {
  const { train, validation, first, last } = evidence;
  const faults = findings.filter(({ kind }) => kind === 'fault').length;
  const skill = (score: typeof train): string =>
    score && Number.isFinite(score.skill) ? `${(100 * score.skill).toFixed(1)} %` : '–';
  const summary = stats([
    ['faults', String(faults)],
    ['loss, first', Number.isFinite(first) ? short(first, 3) : '–'],
    ['loss, last', Number.isFinite(last) ? short(last, 3) : '–'],
    ['skill on training data', skill(train)],
    ['skill on validation data', skill(validation)],
  ]);
  const body = [
    card(faults === 0 ? 'Nothing is wrong' : `${faults} ${faults === 1 ? 'thing is' : 'things are'} wrong`, summary, {
      wide: true,
    }),
    ...findings.map(findingCard),
  ];
  body.push(card('Loss', lossChart(evidence)));
  if (evidence.history.lights.length > 1) {
    const log = { logY: true };
    body.push(
      card(
        'Gradients',
        lineChart(
          curves(evidence, ({ gradient }) => gradient ?? Number.NaN),
          { label: 'Norms of gradients', ...log },
        ),
      ),
      card(
        'Updates',
        lineChart(
          curves(evidence, ({ update, weight }) => update / weight),
          { label: 'Updates by norms of weights', ...log },
        ),
        {
          note: 'Of the size of the weight; about 0.001 is usual.',
        },
      ),
    );
  }
  body.push(...noiseCard(evidence));
  const look = evidence.after ?? evidence.before;
  body.push(...(look?.activations.slice(0, 12).map(activationCard) ?? []));
  body.push(card('Parameters', weightTable(evidence), { wide: true }));
  return htmlPage({ title: 'The doctor', subtitle: `${steps} steps watched`, body, style: STYLE });
}

// Which classes are taken for which, as a table that reads without colours.
import { card, escaped, table } from '../../page/html.ts';
import type { ReportClasses } from './data.ts';

/** Beyond so many classes, a list of the most frequent mistakes says more than a table. */
const MOST_CLASSES = 24;
const MOST_PAIRS = 24;
/** So many fit beside another card. */
const NARROW = 12;

export const STYLE = `.confusion{table-layout:fixed;border-collapse:separate;border-spacing:2px;font-size:13px}.confusion th,.confusion td{border:0;padding:2px 1px;text-align:center;overflow:hidden;text-overflow:ellipsis;overflow-wrap:normal}.confusion td{height:30px;vertical-align:middle;border-radius:5px}
.confusion .right{background:color-mix(in srgb,var(--good) calc(var(--heat)*70%),var(--card))}.confusion .false{background:color-mix(in srgb,var(--bad) calc(var(--heat)*70%),var(--card))}.confusion .none{color:color-mix(in srgb,var(--soft) 50%,transparent)}
.confusion .share{color:var(--soft);font-size:12px}@media(max-width:600px){.confusion{border-spacing:1px;font-size:10px;letter-spacing:-.03em}.confusion .share{font-size:9px}.confusion td{height:24px}}`;

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const percent = (part: number, all: number): string => (all > 0 ? ((100 * part) / all).toFixed(1) : '–');

/** Counts as such, weights without most of their digits. */
const shown = (n: number): string => (Number.isInteger(n) ? String(n) : n.toPrecision(3));

function matrix({ classes, confusion }: ReportClasses): string {
  const worst = Math.max(1e-9, ...confusion.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const columns = classes.map((_, j) => total(confusion.map((row) => row[j] ?? 0)));
  const rows = classes.map((name, i) => {
    const row = confusion[i] ?? [];
    const all = total(row);
    const cells = classes.map((predicted, j) => {
      const n = row[j] ?? 0;
      const heat = i === j ? n / Math.max(1e-9, all) : n === 0 ? 0 : 0.15 + 0.85 * (n / worst);
      const kind = n === 0 ? 'none' : i === j ? 'right' : 'false';
      const says = escaped(`${shown(n)} × ${name} taken for ${predicted}`);
      return `<td class="${kind}" style="--heat:${heat.toFixed(3)}" title="${says}">${shown(n)}</td>`;
    });
    return `<tr><th scope="row">${escaped(name)}</th>${cells.join('')}<td class="share">${percent(row[i] ?? 0, all)}</td></tr>`;
  });
  const heads = classes.map((name) => `<th scope="col">${escaped(name)}</th>`).join('');
  const precision = classes.map(
    (_, j) => `<td class="share">${percent(confusion[j]?.[j] ?? 0, columns[j] as number)}</td>`,
  );
  return `<table class="confusion"><tr><th></th>${heads}<th scope="col" class="share">recall</th></tr>${rows.join('')}<tr><th scope="row" class="share">prec.</th>${precision.join('')}<td></td></tr></table>`;
}

function pairs({ classes, confusion }: ReportClasses): string {
  const all = confusion.flatMap((row, i) => row.map((n, j) => ({ i, j, n }))).filter(({ i, j, n }) => i !== j && n > 0);
  const worst = all.sort((a, b) => b.n - a.n).slice(0, MOST_PAIRS);
  const rows = worst.map(({ i, j, n }) => {
    const row = total(confusion[i] as number[]);
    return [classes[i] ?? String(i), classes[j] ?? String(j), shown(n), percent(n, row)];
  });
  return table(rows, ['class', 'taken for', 'times', '% of the class']);
}

/** The card. */
export function confusionCard(data: ReportClasses): string {
  const few = data.classes.length <= MOST_CLASSES;
  const note = few
    ? 'Rows are true classes, columns predictions. Recall is the share of a row that is right, precision that of a column, in %.'
    : 'The most frequent mistakes.';
  return card('Confusion', few ? matrix(data) : pairs(data), { note, wide: few && data.classes.length > NARROW });
}

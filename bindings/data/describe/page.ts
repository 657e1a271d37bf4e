// A page of what describe() found: it needs no other file, and is read in light and in the dark.
import { bars } from '../../page/charts.ts';
import { escaped, htmlPage, short } from '../../page/html.ts';
import type { ColumnSummary, Found } from './summary.ts';

function picture({ numbers, frequent }: ColumnSummary): string {
  if (!numbers) return bars(frequent, HOW_OFTEN);
  const { min, max, histogram } = numbers;
  const step = (max - min) / histogram.length;
  return bars(
    histogram.map((count, i) => [`${short(min + i * step)} … ${short(min + (i + 1) * step)}`, count]),
    HOW_OFTEN,
  );
}

function facts({ missing, distinct, numbers, frequent }: ColumnSummary, rows: number): [string, string][] {
  const share = rows > 0 ? ` (${short((100 * missing) / rows)} %)` : '';
  const found: [string, string][] = [['missing', `${missing}${share}`]];
  if (distinct !== null) found.push(['distinct', String(distinct)]);
  if (numbers) {
    const { min, max, mean, std, quartiles } = numbers;
    found.push(['range', `${short(min)} … ${short(max)}`], ['mean ± std', `${short(mean)} ± ${short(std)}`]);
    found.push(['quartiles', quartiles.map((x) => short(x)).join(', ')]);
  } else found.push(['frequent', frequent.map(([value, count]) => `${value.slice(0, 40)} (${count})`).join(', ')]);
  return found;
}

/** A value in a few words. */
function words(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, 60);
  if (typeof value === 'number') return short(value);
  return ArrayBuffer.isView(value) || (typeof value === 'object' && value !== null) ? '…' : String(value);
}

const HOW_OFTEN = 'how often values come';

const STYLE = `.column{display:grid;grid-template-columns:minmax(15rem,1fr) 2fr;gap:1.5rem}.column small{opacity:.7;font-weight:400}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:40rem){.column{grid-template-columns:1fr}}`;

/** The page, as HTML. */
export function page({ rows, whole, columns }: Found): string {
  const sections = columns.map((column) => {
    const list = [...facts(column, rows), ['examples', column.examples.map(words).join(', ')] as const];
    const terms = list.map(([term, value]) => `<dt>${term}</dt><dd>${escaped(value)}</dd>`).join('');
    const title = `<h2>${escaped(column.name || 'values')} <small>${escaped(column.type)}</small></h2>`;
    return `<section class="card wide column"><div>${title}${picture(column)}</div><dl>${terms}</dl></section>`;
  });
  const count = `${rows} records${whole ? '' : ', and more'}, ${columns.length} columns`;
  return htmlPage({ title: 'Data', subtitle: count, body: sections, style: STYLE });
}

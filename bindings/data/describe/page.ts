// A page of what describe() found: it needs no other file, and is read in light and in the dark.
import type { ColumnSummary, Found } from './summary.ts';

const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A number in at most 5 digits. */
export const short = (x: number): string => String(Number(x.toPrecision(5)));

/** Bars side by side, each with its words. */
function bars(values: readonly (readonly [label: string, count: number])[]): string {
  const [width, height] = [240, 60];
  const most = Math.max(1, ...values.map(([, count]) => count));
  const step = width / Math.max(1, values.length);
  const rects = values.map(([label, count], i) => {
    const h = (count / most) * height;
    const place = `x="${(i * step).toFixed(1)}" y="${(height - h).toFixed(1)}" width="${(step - 1).toFixed(1)}" height="${h.toFixed(1)}"`;
    return `<rect ${place}><title>${escaped(label)}: ${count}</title></rect>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="how often values come">${rects.join('')}</svg>`;
}

function picture({ numbers, frequent }: ColumnSummary): string {
  if (!numbers) return bars(frequent);
  const { min, max, histogram } = numbers;
  const step = (max - min) / histogram.length;
  return bars(histogram.map((count, i) => [`${short(min + i * step)} … ${short(min + (i + 1) * step)}`, count]));
}

function facts({ missing, distinct, numbers, frequent }: ColumnSummary, rows: number): [string, string][] {
  const share = rows > 0 ? ` (${short((100 * missing) / rows)} %)` : '';
  const found: [string, string][] = [['missing', `${missing}${share}`]];
  if (distinct !== null) found.push(['distinct', String(distinct)]);
  if (numbers) {
    const { min, max, mean, std, quartiles } = numbers;
    found.push(['range', `${short(min)} … ${short(max)}`], ['mean ± std', `${short(mean)} ± ${short(std)}`]);
    found.push(['quartiles', quartiles.map(short).join(', ')]);
  } else found.push(['frequent', frequent.map(([value, count]) => `${value.slice(0, 40)} (${count})`).join(', ')]);
  return found;
}

/** A value in a few words. */
function words(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, 60);
  if (typeof value === 'number') return short(value);
  return ArrayBuffer.isView(value) || (typeof value === 'object' && value !== null) ? '…' : String(value);
}

const STYLE = `:root{color-scheme:light dark;font:16px/1.4 system-ui,sans-serif}body{margin:2rem auto;max-width:72rem;padding:0 1rem}
section{display:grid;grid-template-columns:minmax(15rem,1fr) 2fr;gap:1.5rem;padding:1rem 0;border-top:1px solid #8886}
h2{font-size:1.1rem;margin:0}small{opacity:.7;font-weight:400}svg{width:100%;height:auto}rect{fill:#2a7fba}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:0}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:40rem){section{grid-template-columns:1fr}}`;

/** The page, as HTML. */
export function page({ rows, whole, columns }: Found): string {
  const sections = columns.map((column) => {
    const list = [...facts(column, rows), ['examples', column.examples.map(words).join(', ')] as const];
    const terms = list.map(([term, value]) => `<dt>${term}</dt><dd>${escaped(value)}</dd>`).join('');
    const title = `<h2>${escaped(column.name || 'values')} <small>${escaped(column.type)}</small></h2>`;
    return `<section><div>${title}${picture(column)}</div><dl>${terms}</dl></section>`;
  });
  const count = `${rows} records${whole ? '' : ', and more'}, ${columns.length} columns`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Data</title><style>${STYLE}</style><h1>Data</h1><p>${count}</p>${sections.join('')}</html>\n`;
}

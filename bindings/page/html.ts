// What all pages that the package writes have in common: one file that needs no other and no script, reads in light and
// in the dark, on a screen of 390 pixels and on paper, and has colours that colour-blind people tell apart.

/** Text as it may stand in HTML and in attributes. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A number in at most `digits` digits. */
export const short = (x: number, digits = 5): string => String(Number(x.toPrecision(digits)));

/** Okabe and Ito's colours, the light ones darkened on paper and the dark ones lightened at night. */
const LIGHT = ['#0072b2', '#d55e00', '#00795a', '#a3457a', '#8a6d00', '#3784ad', '#5b4fa8', '#5c6672'];
const DARK = ['#56b4e9', '#ff8c42', '#2fc99b', '#e29bc3', '#e6c229', '#9ad3f2', '#a9a0ea', '#98a2b0'];

/** How many series have a colour of their own; more take them again, dashed. */
export const COLOURS = LIGHT.length;

const series = (colours: readonly string[]): string => colours.map((colour, i) => `--series-${i}:${colour};`).join('');

/** The colours of the page, by names, in light and in the dark. */
export const THEME = `:root{color-scheme:light dark;--paper:#f5f6f8;--card:#fff;--text:#14171c;--soft:#5c6672;--line:#cfd5dd;--grid:#eceff3;--bad:#c2410c;--good:#00795a;${series(LIGHT)}}
@media(prefers-color-scheme:dark){:root{--paper:#0d1015;--card:#161a21;--text:#e8ebf0;--soft:#98a2b0;--line:#39424e;--grid:#222831;--bad:#ff8c42;--good:#2fc99b;${series(DARK)}}}`;

const STYLE = `${THEME}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:32px clamp(12px,3vw,32px) 24px;display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr))}
main>*{min-width:0}.wide{grid-column:1/-1}h1{margin:0;font-size:26px;line-height:1.2;letter-spacing:-.02em;overflow-wrap:anywhere}h2{margin:0 0 6px;font-size:16px;line-height:1.4}
p{margin:0 0 8px}.soft{color:var(--soft);font-size:13px}.card{background:var(--card);border-radius:12px;padding:18px 20px;box-shadow:0 0 0 1px var(--grid),0 1px 3px rgb(0 0 0/6%)}
.stats{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,150px),1fr));gap:16px;margin:0}.stats dt{color:var(--soft);font-size:13px}.stats dd{margin:0;font-size:26px;font-weight:650;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}.stats small{display:block;font-size:12px;font-weight:400;color:var(--soft)}
table{width:100%;border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}th,td{padding:5px 8px 5px 0;border-top:1px solid var(--grid);text-align:left;vertical-align:top;overflow-wrap:anywhere}tr:first-child>*{border-top:0}th{font-weight:400;color:var(--soft)}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--soft)}@media(max-width:600px){.chart text{font-size:21px}}.scroll{overflow-x:auto}pre{overflow-x:auto;margin:8px 0;padding:10px 12px;border-radius:8px;background:var(--paper);font-size:13px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px;color:var(--soft);margin:4px 0 0;padding:0;list-style:none}.legend b{font-weight:400;color:var(--text);font-variant-numeric:tabular-nums}.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}
img{max-width:100%;image-rendering:pixelated}@media(max-width:480px){main{gap:10px;padding-top:20px}.card{padding:14px}.stats dd{font-size:21px}}@media print{.card{break-inside:avoid;box-shadow:0 0 0 1px var(--line)}}`;

/** What stands on a page: a heading, a line under it, and cards. */
export interface Page {
  readonly title: string;
  /** Text, escaped here. */
  readonly subtitle?: string;
  /** HTML of card() and the like. */
  readonly body: readonly string[];
  /** Further rules of style. */
  readonly style?: string;
}

/** The page as HTML. */
export function htmlPage({ title, subtitle = '', body, style = '' }: Page): string {
  const head = `<div class="wide"><h1>${escaped(title)}</h1><p class="soft">${escaped(subtitle)}</p></div>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escaped(title)}</title><style>${STYLE}${style}</style><main>${head}${body.join('')}</main></html>\n`;
}

/** A card with a title and HTML; a wide one takes the whole width. */
export const card = (title: string, html: string, { note = '', wide = false } = {}): string =>
  `<section class="card${wide ? ' wide' : ''}"><h2>${escaped(title)}</h2>${note && `<p class="soft">${escaped(note)}</p>`}${html}</section>`;

/** Large numbers side by side, of text. */
export const stats = (rows: readonly (readonly [name: string, value: string, note?: string])[]): string =>
  `<dl class="stats">${rows.map(([name, value, note]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}${note ? `<small>${escaped(note)}</small>` : ''}</dd></div>`).join('')}</dl>`;

/** A table of text. The first cell of each row is its name. */
export function table(rows: readonly (readonly string[])[], head?: readonly string[]): string {
  const top = head ? `<tr>${head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('')}</tr>` : '';
  const lines = rows.map(([name = '', ...cells]) => {
    const rest = cells.map((cell) => `<td>${escaped(cell)}</td>`).join('');
    return `<tr><th scope="row">${escaped(name)}</th>${rest}</tr>`;
  });
  return `<div class="scroll"><table>${top}${lines.join('')}</table></div>`;
}

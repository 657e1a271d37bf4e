// report.html: a run as bar charts in one file that loads nothing.
import type { Row } from './cases.ts';
import {
  byCase,
  familiesOf,
  formatLimit,
  formatRate,
  formatRatio,
  formatSeconds,
  formatShare,
  formatSpread,
  headerOf,
  type Report,
  reasonsOf,
} from './report.ts';

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE = `
:root { color-scheme: light dark; --paper: #f5f6f8; --card: #fff; --text: #14171c; --soft: #5c6672; --grid: #e3e7ec; --ours: #2563eb; --other: #a8b2bf; --limit: #ea580c; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1015; --card: #161a21; --text: #e8ebf0; --soft: #98a2b0; --grid: #262c35; --ours: #60a5fa; --other: #4d5867; --limit: #fb923c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--text); font: 14px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 16px; display: grid; gap: 16px; }
h1 { margin: 0; font-size: 26px; } h2 { margin: 16px 0 0; font-size: 20px; } h3 { margin: 0 0 6px; font-size: 14px; }
p, ul { margin: 0; color: var(--soft); } ul { padding-left: 20px; }
.cases { display: grid; gap: 12px; }
.case { background: var(--card); border: 1px solid var(--grid); border-radius: 10px; padding: 12px 16px; overflow-x: auto; }
svg { display: block; min-width: 640px; width: 100%; font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
text { fill: var(--text); } .soft { fill: var(--soft); } .ours { fill: var(--ours); } .other { fill: var(--other); }
.limit { stroke: var(--limit); stroke-width: 2; stroke-dasharray: 3 2; } .spread { stroke: var(--text); stroke-width: 1; opacity: .5; }
.wrong { color: #e11d48; }
`;

const LINE = 22;
const BAR_FROM = 120;
const BAR_TO = 560;
const WIDTH = 1000;

/** Bars as long as the side is fast, up to the fastest or the limit; a dashed line is the limit. */
function chart(rows: readonly Row[], ours: string): string {
  const speed = (seconds: number): number => 1 / seconds;
  const own = rows.find(({ side }) => side === ours) ?? (rows[0] as Row);
  const limit = own.share === null ? null : speed(own.seconds.best) / own.share;
  const most = Math.max(limit ?? 0, ...rows.map(({ seconds }) => speed(seconds.best)));
  const x = (value: number): number => BAR_FROM + ((BAR_TO - BAR_FROM) * value) / most;
  const at = (value: number): string => value.toFixed(1);
  const bars = rows.map((row, i) => {
    const { side, seconds } = row;
    const y = i * LINE;
    const middle = y + LINE / 2;
    const words = [
      formatSeconds(seconds.best),
      formatRate(row),
      formatShare(row.share) && `${formatShare(row.share)} of limit`,
      `median ${formatSeconds(seconds.median)} ${formatSpread(row)}`,
    ];
    const ratio = side === ours ? '' : formatRatio(row);
    return `<text x="${BAR_FROM - 8}" y="${middle + 4}" text-anchor="end">${escaped(side)}</text>
<rect class="${side === ours ? 'ours' : 'other'}" x="${BAR_FROM}" y="${y + 4}" width="${at(Math.max(1, x(speed(seconds.best)) - BAR_FROM))}" height="${LINE - 8}" rx="2"/>
<line class="spread" x1="${at(x(speed(seconds.high)))}" x2="${at(x(speed(seconds.low)))}" y1="${middle}" y2="${middle}"/>
<text x="${BAR_TO + 16}" y="${middle + 4}">${escaped(words.filter(Boolean).join(' · '))}</text>
<text class="soft" x="${WIDTH - 4}" y="${middle + 4}" text-anchor="end">${escaped(ratio)}</text>`;
  });
  const mark =
    limit === null
      ? ''
      : `<line class="limit" x1="${at(x(limit))}" x2="${at(x(limit))}" y1="0" y2="${rows.length * LINE}"/>`;
  return `<svg viewBox="0 0 ${WIDTH} ${rows.length * LINE}" role="img">${bars.join('\n')}${mark}</svg>`;
}

const list = (items: readonly string[], kind = ''): string =>
  items.length > 0 ? `<ul class="${kind}">${items.map((item) => `<li>${escaped(item)}</li>`).join('')}</ul>` : '';

const section = (title: string, body: string): string =>
  body ? `<section><h2>${escaped(title)}</h2>${body}</section>` : '';

export function formatHtml(report: Report): string {
  const ours = report.sides[0]?.name ?? '';
  const families = familiesOf(report).map((family) => {
    const cases = byCase(report.rows.filter((row) => row.family === family)).map((rows) => {
      const [{ case: name, limit }] = rows as [Row];
      return `<div class="case"><h3>${escaped(name)}${limit ? ` <small class="soft">limit: ${escaped(limit)}</small>` : ''}</h3>${chart(rows, ours)}</div>`;
    });
    return section(family, `<div class="cases">${cases.join('\n')}</div>`);
  });
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>retrograd: benchmarks</title><style>${STYLE}</style></head>
<body><main>
<h1>retrograd: benchmarks</h1>
${headerOf(report)
  .map((line) => `<p>${escaped(line)}</p>`)
  .join('\n')}
<p>A longer bar is faster. The dashed line is the measured limit; the thin line spans the quartiles; × is the time over ours.</p>
${section(
  'wrong answers',
  list(
    report.wrong.map(({ case: name, side, reason }) => `${name}, ${side}: ${reason}`),
    'wrong',
  ),
)}
${families.join('\n')}
${section('limits', list(report.limits.map(formatLimit)))}
${section('sides', list(report.sides.map(({ name, version }) => `${name}: ${version}`)))}
${section('not measured', list([...report.missing.map(({ name, reason }) => `${name}: ${reason}`), ...reasonsOf(report)]))}
</main></body>
</html>
`;
}

// The style sheet of report.html, for light and for dark.

// Blue and orange are those of the training and the test set.
const LAYERS_LIGHT = ['#0d9488', '#c026d3', '#65a30d', '#e11d48', '#7c3aed', '#a16207', '#0891b2', '#64748b'];
const LAYERS_DARK = ['#2dd4bf', '#e879f9', '#a3e635', '#fb7185', '#a78bfa', '#facc15', '#22d3ee', '#94a3b8'];
const layers = (colors: readonly string[]): string => colors.map((color, i) => `--layer-${i}:${color};`).join('');

export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f5f6f8; --card: #fff; --text: #14171c; --soft: #5c6672; --line: #cfd5dd; --grid: #eceff3;
  --train: #2563eb; --train-faint: #2563eb40; --test: #ea580c; --right: #2563eb; --wrong: #e11d48; --on-heat: #fff;
  ${layers(LAYERS_LIGHT)}
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1015; --card: #161a21; --text: #e8ebf0; --soft: #98a2b0; --line: #39424e; --grid: #222831;
    --train: #60a5fa; --train-faint: #60a5fa45; --test: #fb923c; --right: #3b82f6; --wrong: #f43f5e; --on-heat: #fff;
    ${layers(LAYERS_DARK)}
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%;
}
main { max-width: 1180px; margin: 0 auto; padding: 32px clamp(12px, 3vw, 32px) 24px; display: grid; gap: 16px; }
main > *, .pair > *, .stack > * { min-width: 0; }
.top { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 4px 24px; }
h1 { margin: 0; font-size: 26px; line-height: 1.2; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 16px; line-height: 1.4; letter-spacing: -0.01em; }
.top p, .note, footer { margin: 0; color: var(--soft); font-size: 13px; }
.card, .stat { background: var(--card); border-radius: 12px; box-shadow: 0 0 0 1px var(--grid), 0 1px 3px rgb(0 0 0 / 6%); }
.card { padding: 18px 20px; }
.card > header { display: flex; justify-content: space-between; align-items: center; gap: 12px; }
.stats { margin: 0; display: grid; grid-template-columns: repeat(4, 1fr); gap: 16px; }
.stat { padding: 16px 20px; min-width: 0; }
.stat dt { color: var(--soft); font-size: 13px; }
.stat dd { margin: 2px 0 0; font-size: 28px; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.stat:first-child dd { color: var(--train); }
.stat small { display: block; margin-top: 4px; font-size: 12px; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
.pair.uneven { grid-template-columns: 3fr 2fr; }
.stack { display: grid; gap: 16px; align-content: start; }

button {
  font: inherit; font-size: 12px; padding: 2px 10px; border: 1px solid var(--line); border-radius: 99px;
  background: none; color: var(--soft); cursor: pointer;
}
button[aria-pressed="true"] { background: var(--train); border-color: var(--train); color: var(--card); }
button:focus-visible { outline: 2px solid var(--test); outline-offset: 2px; }

.chart { margin-top: 10px; min-height: 220px; color: var(--soft); }
.uplot { font-family: inherit; width: 100%; }
.u-legend { color: var(--text); font-size: 13px; text-align: left; margin: 6px 0 0 12px; font-variant-numeric: tabular-nums; }
.u-legend.u-inline tr { margin-right: 8px; }
.u-legend tr:first-child .u-marker { display: none; }
.u-legend th { font-weight: 500; }
.u-legend th, .u-legend .u-label { max-width: 100%; overflow-wrap: anywhere; }
.u-legend .u-value { color: var(--soft); min-width: 3.6em; }
.u-legend .u-marker { height: 0; border-radius: 2px; }
.u-select { background: color-mix(in srgb, var(--train) 16%, transparent); }

.facts { width: 100%; margin-top: 8px; border-collapse: collapse; font-size: 14px; }
.facts th, .facts td { padding: 5px 0; border-top: 1px solid var(--grid); vertical-align: top; }
.facts tr:first-child > * { border-top: 0; }
.facts th { text-align: left; font-weight: 400; color: var(--soft); padding-right: 16px; min-width: 8em; overflow-wrap: anywhere; }
.facts td { text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }

.confusion { width: 100%; margin-top: 4px; border-collapse: separate; border-spacing: 3px; table-layout: fixed; font-size: 13px; font-variant-numeric: tabular-nums; }
.confusion caption { text-align: left; color: var(--soft); font-size: 13px; padding: 0 0 8px; }
.confusion th { font-weight: 600; padding: 2px 0; overflow: hidden; text-overflow: ellipsis; }
.confusion td { text-align: center; height: 36px; border-radius: 6px; padding: 0; }
.confusion .right { background: color-mix(in srgb, var(--right) calc(var(--heat) * 100%), var(--card)); }
.confusion .wrong { background: color-mix(in srgb, var(--wrong) calc(var(--heat) * 100%), var(--card)); }
.confusion .strong { color: var(--on-heat); font-weight: 600; }
.confusion .none { background: var(--paper); color: color-mix(in srgb, var(--soft) 45%, transparent); }
.confusion .share { color: var(--soft); font-weight: 400; font-size: 12px; height: auto; }

#digits { display: grid; grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); gap: 10px; margin-top: 12px; }
figure { margin: 0; min-width: 0; background: var(--paper); border-radius: 8px; padding: 8px 8px 6px; }
figure canvas { display: block; width: 100%; aspect-ratio: 1; image-rendering: pixelated; }
figcaption { display: flex; justify-content: space-between; align-items: baseline; gap: 4px; font-size: 13px; line-height: 1.3; margin-top: 4px; color: var(--soft); white-space: nowrap; }
figcaption span { overflow: hidden; text-overflow: ellipsis; }
figcaption b { color: var(--text); }
figcaption i { font-style: normal; font-weight: 700; color: var(--wrong); }
figcaption small { flex: none; font-size: 11px; font-variant-numeric: tabular-nums; }
footer { text-align: center; padding: 8px 0; }

@media (max-width: 860px) {
  .pair, .pair.uneven { grid-template-columns: minmax(0, 1fr); }
  .stats { grid-template-columns: 1fr 1fr; }
}
@media (max-width: 600px) {
  .confusion { border-spacing: 1px; font-size: 10.5px; letter-spacing: -0.03em; }
  .confusion .share { font-size: 9.5px; }
  .confusion td { height: 27px; border-radius: 4px; }
}
@media (max-width: 480px) {
  main, .stats, .pair { gap: 10px; }
  main { padding-top: 20px; }
  .card { padding: 14px; }
  .stat { padding: 12px 14px; }
  .stat dd { font-size: 22px; }
  #digits { grid-template-columns: repeat(auto-fill, minmax(72px, 1fr)); gap: 8px; }
  figure { padding: 6px 4px 5px; }
  figcaption { font-size: 11.5px; gap: 2px; }
  figcaption small { font-size: 10px; }
}
@media print {
  .card, .stat { break-inside: avoid; box-shadow: 0 0 0 1px var(--line); }
}
`;

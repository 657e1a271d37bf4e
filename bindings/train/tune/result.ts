// What a search found, as a table, a picture and a page.
import { card, htmlPage, short, table } from '../../page/html.ts';
import { parallelCoordinates } from '../../page/parallel.ts';
import type { TrialRecord, TuneResult } from './trial.ts';

const SHOWN = 10;

const words = (value: unknown): string =>
  typeof value === 'number' ? short(value, 4) : typeof value === 'string' ? value : (JSON.stringify(value) ?? '');

/** @param ranked the best first */
export function resultOf(
  trials: readonly TrialRecord[],
  ranked: readonly TrialRecord[],
  direction: 'min' | 'max',
): TuneResult {
  const all = [...trials].sort((a, b) => a.trial - b.trial);
  const names = [...new Set(all.flatMap(({ config }) => Object.keys(config)))];
  const rows = (count: number): string[][] =>
    ranked
      .slice(0, count)
      .map(({ trial, config, value, state, seconds }) => [
        String(trial),
        value === null ? '–' : short(value),
        state,
        ...names.map((name) => (name in config ? words(config[name]) : '')),
        `${seconds} s`,
      ]);
  const head = ['trial', 'value', 'state', ...names, 'time'];
  const toSvg = (): string => {
    const kept = ranked.filter(({ value }) => value !== null && Number.isFinite(value));
    const axes = [
      ...names.map((name) => ({ name, values: kept.map(({ config }) => config[name]) })),
      { name: 'value', values: kept.map(({ value }) => value) },
    ];
    return parallelCoordinates(
      axes,
      kept.map(({ state }) => state === 'stopped'),
      'Trials by their hyperparameters',
    );
  };
  const [first] = ranked;
  return {
    best: first && first.state !== 'failed' ? first : null,
    trials: all,
    toString: () => {
      const lines = [head, ...rows(SHOWN)];
      const widths = head.map((_, i) => Math.max(...lines.map((line) => (line[i] as string).length)));
      return lines
        .map((line) =>
          line
            .map((cell, i) => cell.padEnd(widths[i] as number))
            .join('  ')
            .trimEnd(),
        )
        .join('\n');
    },
    toSvg,
    toHtml: () =>
      htmlPage({
        title: 'Search',
        subtitle: `${all.length} trials, ${direction === 'min' ? 'the least' : 'the greatest'} value is best`,
        body: [
          card('Hyperparameters', `<div class="scroll">${toSvg()}</div>`, {
            note: 'A line for each trial. The best tenth is orange, the better of the others are darker, dashed ones were stopped.',
            wide: true,
          }),
          card('Trials', table(rows(50), head), { wide: true }),
        ],
      }),
  };
}

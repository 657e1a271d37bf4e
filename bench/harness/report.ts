// What a run leaves: a table for the terminal, one for README.md, and the data both are made from.

import type { Limit } from '../limits/limits.ts';
import type { Outcome, Row } from './cases.ts';

export interface Report extends Outcome {
  readonly date: string;
  /** Processor, cores, system. */
  readonly machine: string;
  /** Node or browser with its version. */
  readonly engine: string;
  readonly build: string;
  readonly quick: boolean;
  readonly rounds: number;
  readonly sides: readonly { readonly name: string; readonly version: string }[];
  /** Sides that were asked for and are not here, and why. */
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
  readonly limits: readonly Pick<Limit, 'name' | 'kind' | 'rate'>[];
}

export function formatSeconds(seconds: number): string {
  const [value, unit] =
    seconds < 1e-6
      ? [seconds * 1e9, 'ns']
      : seconds < 1e-3
        ? [seconds * 1e6, 'µs']
        : seconds < 1
          ? [seconds * 1e3, 'ms']
          : [seconds, 's'];
  return `${value.toPrecision(value >= 1000 ? 4 : 3)} ${unit}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.095 ? 1 : 0)} %`;
export const formatShare = (share: number | null): string => (share === null ? '' : percent(share));
export const formatRate = ({ rate, unit }: Pick<Row, 'rate' | 'unit'>): string =>
  `${rate < 10 ? rate.toPrecision(2) : rate.toFixed(1)} ${unit}`;

/** Half the distance of the quartiles, of the median. */
export const formatSpread = ({ seconds: { low, high, median }, samples }: Row): string =>
  samples > 1 ? `±${percent((high - low) / 2 / median)}` : 'once';

/** Times ours; `≈` where the samples cannot tell them apart. */
export function formatRatio({ ratio, apart, samples }: Row): string {
  if (ratio === null) return '';
  return `${apart === 0 && samples >= 5 && ratio !== 1 ? '≈' : '×'}${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)}`;
}

const limitUnit = { flops: 'GFLOP/s', bytes: 'GB/s', exps: 'G/s' } as const;
export const formatLimit = ({ name, kind, rate }: Report['limits'][number]): string =>
  `${name}: ${(rate / 1e9).toPrecision(3)} ${limitUnit[kind]}`;

/** Cells with two spaces between columns; columns after the first `left` are flush right. */
export function align(lines: readonly (readonly string[])[], left: number): string[] {
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => [...(line[column] ?? '')].length))) ?? [];
  return lines.map((line) =>
    line
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] as number) - [...cell].length);
        return column < left ? cell + space : space + cell;
      })
      .join('  ')
      .trimEnd(),
  );
}

const HEAD = ['case', 'side', 'best', 'median', 'spread', 'rate', 'of limit', 'time / ours'];
const cells = (row: Row, first: boolean): string[] => [
  first ? row.case : '',
  row.side,
  formatSeconds(row.seconds.best),
  formatSeconds(row.seconds.median),
  formatSpread(row),
  formatRate(row),
  formatShare(row.share),
  formatRatio(row),
];

/** Rows of one case stand together, in the order they were measured. */
export function byCase(rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.family}\n${row.case}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

export function familiesOf(report: Pick<Report, 'rows'>): string[] {
  return [...new Set(report.rows.map(({ family }) => family))];
}

/** The reasons, each once, with the cases it holds for. */
export function reasonsOf({ skipped }: Pick<Report, 'skipped'>): string[] {
  const grouped = new Map<string, string[]>();
  for (const { side, reason, case: name } of skipped) {
    const key = side ? `${side}: ${reason}` : reason;
    grouped.set(key, [...(grouped.get(key) ?? []), name]);
  }
  return [...grouped].map(
    ([reason, names]) =>
      `${reason} (${names.length > 4 ? `${names.slice(0, 3).join('; ')} and ${names.length - 3} more` : names.join('; ')})`,
  );
}

/** The lines above a table: where and how it was measured. */
export function headerOf(report: Report): string[] {
  const { machine, engine, build, date, rounds, quick } = report;
  return [
    `${machine}; ${engine}; ${build} SIMD; ${date}`,
    quick
      ? 'quick: answers are checked, times mean nothing'
      : `up to ${rounds} samples of each side, taken in turn; rates, shares and multiples are those of the best samples`,
  ];
}

/** The whole report for a terminal. */
export function formatReport(report: Report): string {
  const lines = [...headerOf(report), ''];
  if (!report.quick)
    lines.push('Limits, best of the run', ...report.limits.map((limit) => `  ${formatLimit(limit)}`), '');
  for (const family of familiesOf(report)) {
    const rows = report.rows.filter((row) => row.family === family);
    const groups = byCase(rows);
    const table = groups.flatMap((group) => group.map((row, i) => cells(row, i === 0)));
    if (report.quick) lines.push(`${family}: ${rows.length} right answers to ${groups.length} problems`);
    else lines.push(family, ...align([HEAD, ...table], 2).map((line) => `  ${line}`), '');
  }
  if (report.quick) lines.push('');
  return [...lines, ...remarksOf(report)].join('\n');
}

/** The lines below a table: who ran, who did not, and what was wrong. */
export function remarksOf(report: Report): string[] {
  const list = (title: string, items: readonly string[]): string[] =>
    items.length > 0 ? [title, ...items.map((item) => `  ${item}`), ''] : [];
  return [
    ...list(
      'Sides',
      report.sides.map(({ name, version }) => `${name}: ${version}`),
    ),
    ...list(
      'Not here',
      report.missing.map(({ name, reason }) => `${name}: ${reason}`),
    ),
    ...list('Skipped', reasonsOf(report)),
    ...list(
      'WRONG',
      report.wrong.map(({ family, case: name, side, reason }) => `${family} ${name}, ${side}: ${reason}`),
    ),
  ];
}

const row = (items: readonly string[]): string => `| ${items.join(' | ')} |`;

/** The report as Markdown: a line a case, ours in full and the others as multiples of our time. */
export function formatMarkdown(report: Report): string {
  const lines = [
    headerOf(report).join('; '),
    '',
    'Limits, best of the run:',
    ...report.limits.map((limit) => `- ${formatLimit(limit)}`),
    '',
  ];
  for (const family of familiesOf(report)) {
    const groups = byCase(report.rows.filter((item) => item.family === family));
    const ours = report.sides[0]?.name as string;
    const others = [...new Set(groups.flat().map(({ side }) => side))].filter((side) => side !== ours);
    lines.push(
      `### ${family}`,
      '',
      row(['case', `${ours}: best`, 'median', 'spread', 'rate', 'of limit', ...others]),
      row(['---', ...new Array<string>(5 + others.length).fill('---:')]),
    );
    for (const group of groups) {
      const own = group.find(({ side }) => side === ours);
      const { best = 0, median = 0 } = own?.seconds ?? {};
      const full = own
        ? [formatSeconds(best), formatSeconds(median), formatSpread(own), formatRate(own), formatShare(own.share)]
        : new Array<string>(5).fill('');
      const rest = others.map((side) => {
        const found = group.find((item) => item.side === side);
        return found ? formatRatio(found) || formatSeconds(found.seconds.best) : '–';
      });
      lines.push(row([(group[0] as Row).case, ...full, ...rest]));
    }
    lines.push('');
  }
  const list = (title: string, items: readonly string[]): void => {
    if (items.length > 0) lines.push(`${title}:`, ...items.map((item) => `- ${item}`), '');
  };
  list(
    'Sides',
    report.sides.map(({ name, version }) => `${name}: ${version}`),
  );
  list(
    'Not here',
    report.missing.map(({ name, reason }) => `${name}: ${reason}`),
  );
  list('Skipped', reasonsOf(report));
  return lines.join('\n').trimEnd();
}

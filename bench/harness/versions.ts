// The table of a run beside another version of the library.
import type { Row } from './cases.ts';
import { align, byCase, familiesOf, formatSeconds, headerOf, type Report, remarksOf } from './report.ts';

/** Beyond this, and beyond the noise, a row is slower. */
const TOLERANCE = 0.03;

export interface Comparison {
  readonly family: string;
  readonly case: string;
  readonly side: string;
  readonly before: number;
  readonly now: number;
  /** Time now over time before, both the best of their samples. */
  readonly ratio: number;
  /** What the ratio is uncertain by, as a share; null with too few samples to say, and then there is no verdict. */
  readonly noise: number | null;
  readonly verdict: 'slower' | 'faster' | 'same';
}

function compared(now: Row, before: Row): Comparison {
  const ratio = now.seconds.best / before.seconds.best;
  const noise = now.noise === null || before.noise === null ? null : Math.max(now.noise, before.noise);
  const differs = noise !== null && before.apart !== 0 && Math.abs(ratio - 1) > Math.max(noise, TOLERANCE);
  return {
    ...{ family: now.family, case: now.case, side: now.side },
    ...{ before: before.seconds.best, now: now.seconds.best, ratio, noise },
    verdict: !differs ? 'same' : ratio > 1 ? 'slower' : 'faster',
  };
}

/** One for every side that both versions have. */
export function comparisonsOf(report: Pick<Report, 'rows'>): Comparison[] {
  return byCase(report.rows).flatMap((rows) =>
    rows.flatMap((now) => {
      const before = rows.find(({ versionOf }) => versionOf === now.side);
      return before ? [compared(now, before)] : [];
    }),
  );
}

const HEAD = ['case', 'side', 'before', 'now', 'now / before', 'noise', ''];
const cells = (item: Comparison, first: boolean): string[] => [
  first ? item.case : '',
  item.side,
  formatSeconds(item.before),
  formatSeconds(item.now),
  item.ratio.toFixed(3),
  item.noise === null ? 'few samples' : `±${item.noise.toFixed(3)}`,
  item.verdict === 'same' ? '' : item.verdict,
];

/** e to the mean of the logarithms. */
const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** The report for a terminal. */
export function formatVersions(report: Report): string {
  const all = comparisonsOf(report);
  const lines = [...headerOf(report), ''];
  for (const family of familiesOf(report)) {
    const own = all.filter((item) => item.family === family);
    const rows = own.map((item, i) => cells(item, item.case !== own[i - 1]?.case));
    if (!report.quick) lines.push(family, ...align([HEAD, ...rows], 2).map((line) => `  ${line}`), '');
    else lines.push(`${family}: ${own.length} right answers of both versions`);
  }
  if (report.quick) lines.push('');
  else if (all.length > 0) {
    const slower = all.filter(({ verdict }) => verdict === 'slower');
    const faster = all.filter(({ verdict }) => verdict === 'faster');
    lines.push(
      `${all.length} rows: ${slower.length} slower and ${faster.length} faster by more than ${100 * TOLERANCE} % and the noise; now / before is ${geometricMean(all.map(({ ratio }) => ratio)).toFixed(3)} in the geometric mean`,
      '',
    );
  }
  return [...lines, ...remarksOf(report)].join('\n');
}

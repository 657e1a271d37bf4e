// What a run prints and leaves.
import { describe, expect, it } from 'vitest';
import type { Row } from '../../bench/harness/cases.ts';
import { formatHtml } from '../../bench/harness/charts.ts';
import { formatMarkdown, formatReport, type Report } from '../../bench/harness/report.ts';
import { comparisonsOf, formatVersions } from '../../bench/harness/versions.ts';

describe('the report', () => {
  const row = (name: string, best: number): Row => ({
    family: 'gemm',
    case: 'A <b>',
    side: name,
    seconds: { best, median: best * 1.1, low: best, high: best * 1.2 },
    samples: 9,
    noise: 0.01,
    versionOf: null,
    rate: 1e-3 / best,
    unit: 'GFLOP/s',
    ratio: best / 1e-4,
    apart: best > 1e-4 ? -1 : 0,
    share: 1e-4 / 2 / best,
    limit: 'multiply-add ×12',
  });
  const report: Report = {
    date: '2026-01-02',
    machine: 'a machine',
    engine: 'an engine',
    build: 'strict',
    quick: false,
    rounds: 9,
    sides: [
      { name: 'retrograd', version: '1' },
      { name: 'peer', version: '2' },
    ],
    missing: [{ name: 'gone', reason: 'is not here' }],
    limits: [{ name: 'multiply-add ×12', kind: 'flops', rate: 2e10 }],
    rows: [row('retrograd', 1e-4), row('peer', 3e-4)],
    wrong: [],
    skipped: [{ family: 'gemm', case: 'B', side: 'peer', reason: 'cannot' }],
  };

  it('is a table', async () => {
    const text = formatReport(report);
    expect(text).toMatch(/A <b> +retrograd +100 µs +110 µs +±9.1 % +10.0 GFLOP\/s +50 % +×1.00/);
    expect(text).toMatch(/peer +300 µs +330 µs +±9.1 % +3.3 GFLOP\/s +17 % +×3.00/);
    expect(text).toContain('gone: is not here');
    expect(text).toContain('peer: cannot (B)');
    expect(text).not.toContain('WRONG');
    expect(formatReport({ ...report, wrong: report.skipped })).toContain('WRONG\n  gemm B, peer: cannot');
    expect(formatMarkdown(report)).toContain('| A <b> | 100 µs | 110 µs | ±9.1 % | 10.0 GFLOP/s | 50 % | ×3.00 |');
  });

  it('says by how much versions differ, and whether that is more than noise', () => {
    const old = (name: string, best: number, changes: Partial<Row> = {}): Row => ({
      ...row(`before${name}`, best),
      versionOf: `retrograd${name}`,
      apart: -1,
      ...changes,
    });
    const now = (name: string, best: number): Row => row(`retrograd${name}`, best);
    const pairs: [Row, Row][] = [
      [now('', 1.1e-4), old('', 1e-4)],
      [now(' 2', 1.1e-4), old(' 2', 1e-4, { noise: 0.2 })],
      [now(' 3', 1.02e-4), old(' 3', 1e-4)],
      [now(' 4', 0.5e-4), old(' 4', 1e-4, { apart: 1 })],
      [now(' 5', 3e-4), old(' 5', 1e-4, { noise: null })],
      [now(' 6', 1.1e-4), old(' 6', 1e-4, { apart: 0 })],
    ];
    const made = { ...report, rows: [...pairs.flat(), row('peer', 1)] };
    const compared = comparisonsOf(made);
    expect(compared.map(({ ratio }) => ratio)).toEqual([1.1, 1.1, 1.02, 0.5, 3, 1.1].map((x) => expect.closeTo(x, 9)));
    expect(compared.map(({ verdict }) => verdict)).toEqual(['slower', 'same', 'same', 'faster', 'same', 'same']);
    const text = formatVersions(made);
    expect(text).toMatch(/A <b> +retrograd +100 µs +110 µs +1\.100 +±0\.010 +slower\n/);
    expect(text).toMatch(/retrograd 5 +100 µs +300 µs +3\.000 +few samples\n/);
    expect(text).toContain('6 rows: 1 slower and 1 faster by more than 3 % and the noise');
  });

  it('is a page that loads nothing', async () => {
    const html = formatHtml(report);
    expect(html).toContain('A &#60;b&#62;');
    expect(html.match(/<rect /g)).toHaveLength(2);
    expect(html).not.toMatch(/<script|<link|<img|https?:|url\(|@import/);
  });
});

// npm run bench -- hosts: steps of two ranks on hosts of their own, beside a model of them, and what it says of more.
import { Hosts, hostsMissing } from '../distributed/hosts.ts';
import { missing, runRanks } from '../distributed/job.ts';
import { predict, type Wire } from '../distributed/model.ts';
import { type NetworkName, TITLES } from '../distributed/networks.ts';
import type { Reduced, Trained } from '../distributed/rank.ts';
import { formatSeconds } from '../harness/report.ts';

const NAMES: readonly NetworkName[] = ['MLP', 'CNN', 'GPT'];
const COUNTS = [2, 4, 8, 16, 32, 64];
const speed = (bits: number): string => (bits < 1e9 ? `${bits / 1e6} Mbit/s` : `${bits / 1e9} Gbit/s`);
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** A network that steps were measured on. */
interface Line {
  readonly wire: Wire;
  /** Seconds by which it was told to be late. */
  readonly delay: number;
}

function measuredRow(trained: Trained, { wire, delay }: Line): string {
  const { name, alone, together, reduce } = trained;
  const model = predict(trained, 2, wire);
  const times = [alone, reduce, together, model].map(formatSeconds);
  const hidden = percent(Math.max(0, 1 - (together - alone) / reduce));
  const network = `${speed(wire.bits)}${delay > 0 ? `, ${formatSeconds(delay)} late` : ''}`;
  return `| ${[`${TITLES[name]}, ${network}`, ...times, percent(model / together - 1), hidden].join(' | ')} |`;
}

function predictedRow(trained: Trained, wire: Wire): string {
  const cells = COUNTS.map((hosts) => {
    const step = predict(trained, hosts, wire);
    return `${formatSeconds(step)} (${((hosts * trained.alone) / step).toFixed(1)} ×)`;
  });
  return `| ${[`${TITLES[trained.name]}, ${speed(wire.bits)}`, ...cells].join(' | ')} |`;
}

/** Bits a second, seconds, and rounds. */
const NETWORKS = [
  [1e9, 0, '10'],
  [1e9, 1e-4, '10'],
  [1e9, 1e-3, '10'],
  [1e8, 0, '4'],
] as const;

export async function table(_simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const why = missing() || hostsMissing();
  if (why) return `Rows of hosts are skipped: ${why}`;
  const hosts = new Hosts(2, { bits: 1e9 });
  try {
    const measured: [Trained, Line][] = [];
    for (const [bits, delay, rounds] of NETWORKS) {
      if (delay > 0 && hosts.lateBy === null) continue;
      hosts.limit({ bits, delay });
      const [short] = runRanks<Reduced[]>(2, ['reduce', quick ? '2' : '40', 'latency', ''], hosts.place);
      const line = { wire: { bits, latency: (short?.eager ?? 0) / 2 }, delay };
      const task = ['train', quick ? '1' : rounds, quick ? 'quick' : 'whole', NAMES.join()];
      for (const trained of runRanks<Trained[]>(2, task, hosts.place)) measured.push([trained, line]);
    }
    const latencies = [...new Set(measured.map(([, { wire }]) => formatSeconds(wire.latency)))];
    const late = hosts.lateBy === null ? 'nothing: there is neither netem nor cc' : hosts.lateBy;
    const atFirst = measured.slice(0, NAMES.length);
    return [
      `Two namespaces as hosts, a message in ${latencies.join(', ')}; late by ${late}`,
      '',
      '| step | one rank | all-reduce alone | two ranks | model | off by | hidden |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...measured.map(([trained, line]) => measuredRow(trained, line)),
      '',
      `| step (times the examples of one rank), hosts | ${COUNTS.join(' | ')} |`,
      `| --- |${' ---: |'.repeat(COUNTS.length)}`,
      ...atFirst.flatMap(([trained, { wire }]) =>
        [1e9, 1e10, 1e11].map((bits) => predictedRow(trained, { ...wire, bits })),
      ),
    ].join('\n');
  } finally {
    hosts.dispose();
  }
}

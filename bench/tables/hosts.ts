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

function measuredRow(trained: Trained, wire: Wire): string {
  const { name, alone, together, reduce } = trained;
  const model = predict(trained, 2, wire);
  const times = [alone, reduce, together, model].map(formatSeconds);
  const hidden = percent(Math.max(0, 1 - (together - alone) / reduce));
  return `| ${[`${TITLES[name]}, ${speed(wire.bits)}`, ...times, percent(model / together - 1), hidden].join(' | ')} |`;
}

function predictedRow(trained: Trained, wire: Wire): string {
  const cells = COUNTS.map((hosts) => {
    const step = predict(trained, hosts, wire);
    return `${formatSeconds(step)} (${((hosts * trained.alone) / step).toFixed(1)} ×)`;
  });
  return `| ${[`${TITLES[trained.name]}, ${speed(wire.bits)}`, ...cells].join(' | ')} |`;
}

export async function table(_simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const why = missing() || hostsMissing();
  if (why) return `Rows of hosts are skipped: ${why}`;
  const hosts = new Hosts(2, { bits: 1e9 });
  try {
    const [short] = runRanks<Reduced[]>(2, ['reduce', quick ? '2' : '40', 'latency', ''], hosts.place);
    const latency = (short?.eager ?? 0) / 2;
    const measured: [Trained, Wire][] = [];
    for (const [bits, rounds] of [
      [1e9, '10'],
      [1e8, '4'],
    ] as const) {
      hosts.limit({ bits });
      const task = ['train', quick ? '1' : rounds, quick ? 'quick' : 'whole', NAMES.join()];
      for (const trained of runRanks<Trained[]>(2, task, hosts.place)) measured.push([trained, { bits, latency }]);
    }
    const atFirst = measured.slice(0, NAMES.length).map(([trained]) => trained);
    return [
      `Two namespaces as hosts, a message in ${formatSeconds(latency)}${hosts.delays ? '' : '; this kernel has no netem'}`,
      '',
      '| step | one rank | all-reduce alone | two ranks | model | off by | hidden |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...measured.map(([trained, wire]) => measuredRow(trained, wire)),
      '',
      `| step (times the examples of one rank), hosts | ${COUNTS.join(' | ')} |`,
      `| --- |${' ---: |'.repeat(COUNTS.length)}`,
      ...atFirst.flatMap((trained) => [1e9, 1e10, 1e11].map((bits) => predictedRow(trained, { bits, latency }))),
    ].join('\n');
  } finally {
    hosts.dispose();
  }
}

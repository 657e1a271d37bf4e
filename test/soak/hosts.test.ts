// Ranks on hosts of their own: network namespaces with wires of 1 Gbit/s and 100 Mbit/s between them.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Hosts, hostsMissing } from '../../bench/distributed/hosts.ts';
import { missing as noRanks, runRanks } from '../../bench/distributed/job.ts';
import type { Trained } from '../../bench/distributed/rank.ts';

const RANK = fileURLToPath(new URL('../../build/bench/distributed/rank.js', import.meta.url));
const missing = noRanks() || hostsMissing();

const train = (ranks: number, network: string, hosts?: Hosts): Trained =>
  runRanks<Trained[]>(ranks, ['train', '3', 'whole', network], hosts?.place, RANK)[0] as Trained;

describe.skipIf(missing)(`hosts of their own${missing && `: skipped, ${missing}`}`, () => {
  it.each([2, 4])('give the same numbers as one: %i', { timeout: 240_000 }, (count) => {
    const hosts = new Hosts(count, { bits: 1e9 });
    try {
      for (const network of ['MLP', 'GPT']) {
        const [there, here] = [train(count, network, hosts), train(count, network)];
        expect(there.loss).toBe(here.loss);
      }
    } finally {
      hosts.dispose();
    }
  });

  it('take as long as the wire does', { timeout: 240_000 }, () => {
    const hosts = new Hosts(2, { bits: 1e9 });
    try {
      for (const bits of [1e9, 1e8]) {
        hosts.limit({ bits });
        const { bytes, alone, together, reduce } = train(2, 'MLP', hosts);
        const wire = (8 * bytes) / bits;
        // Not sooner, but for what tbf lets through at once; and nothing waits for long.
        expect(reduce).toBeGreaterThan(0.9 * wire);
        expect(together).toBeGreaterThan(wire);
        expect(together).toBeLessThan(2 * (alone + 1.5 * wire));
      }
    } finally {
      hosts.dispose();
    }
  });
});

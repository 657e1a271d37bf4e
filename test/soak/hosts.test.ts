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
  it.each([2, 4])('give the same numbers as one, however late messages are: %i', { timeout: 400_000 }, (count) => {
    const hosts = new Hosts(count, { bits: 1e9 });
    try {
      const delays = hosts.lateBy === null ? [0] : [0, 1e-3];
      for (const network of ['MLP', 'GPT']) {
        const here = train(count, network);
        for (const delay of delays) {
          hosts.limit({ bits: 1e9, delay });
          expect(train(count, network, hosts).loss).toBe(here.loss);
        }
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
      if (hosts.lateBy === null) return;
      hosts.limit({ bits: 1e9, delay: 5e-3 });
      const { calls, together, alone } = train(2, 'CNN', hosts);
      // There and back, for each.
      expect(together).toBeGreaterThan(2 * calls * 5e-3);
      expect(together).toBeLessThan(2 * (alone + 4 * calls * 5e-3));
    } finally {
      hosts.dispose();
    }
  });
});

// The package on every engine with a command line, to the same bits.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import type { EngineId } from '../../tools/engines.ts';
import { answerOf, expectPlace, expectSame } from './program.ts';
import { needs, rowsOf } from './rows.ts';

const LIKE_NODE: readonly EngineId[] = ['node20', 'node22', 'node24', 'node26', 'bun', 'deno', 'arm64'];

interface Case {
  readonly title: string;
  readonly script: string;
  readonly options: object;
  readonly threads?: number;
}
const CASES: readonly Case[] = [
  { title: 'one thread', script: 'module.js', options: { simd: 'strict', threads: 1 }, threads: 1 },
  { title: 'two threads', script: 'module.js', options: { simd: 'strict', threads: 2 }, threads: 2 },
  { title: 'in a worker', script: 'worker.js', options: { simd: 'strict', threads: 2 }, threads: 2 },
  { title: 'require()', script: 'require.cjs', options: { simd: 'strict', threads: 1 }, threads: 1 },
  // Where it cannot be, it says so.
  { title: 'revectorized', script: 'module.js', options: { simd: 'strict', threads: 1, revectorize: true } },
];

describe.each(rowsOf(LIKE_NODE))('%s', (_title, _id, found) => {
  const project = inject('project');
  for (const { title, script, options, threads } of CASES)
    it(title, async ({ skip }) => {
      const command = [...needs(found, skip), script, JSON.stringify(options)];
      expectSame(await answerOf(command, project), inject('expected'), threads);
    });

  it('as it comes', async ({ skip }) => {
    const { build, mistake } = await answerOf([...needs(found, skip), 'module.js', '{}'], project);
    expect(['strict', 'relaxed']).toContain(build);
    expectPlace(mistake, readFileSync(join(project, 'program.js'), 'utf8'));
  });
});

// The matrix in words, after a run: for each engine and bundler what passed, what failed, and what was skipped and why.
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** 'one thread, two threads: why' of the tests in one state, those with one reason together. */
function listed(tests: readonly TestCase[]): string {
  const byReason = new Map<string, string[]>();
  for (const test of tests) {
    const result = test.result();
    const [error] = result.errors ?? [];
    const note = result.state === 'skipped' ? result.note : error?.message.split('\n')[0]?.slice(0, 160);
    byReason.set(note ?? '', [...(byReason.get(note ?? '') ?? []), test.name]);
  }
  return [...byReason].map(([reason, names]) => names.join(', ') + (reason && `: ${reason}`)).join('; ');
}

export default class MatrixReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts: Record<string, number> = { passed: 0, failed: 0, skipped: 0 };
    const lines: string[] = [];
    for (const suite of modules.flatMap((module) => [...module.children.suites()])) {
      const tests = [...suite.children.allTests()];
      for (const state of ['passed', 'failed', 'skipped']) {
        const found = tests.filter((test) => test.result().state === state);
        counts[state] = (counts[state] ?? 0) + found.length;
        if (found.length === 0) continue;
        lines.push(`  ${suite.name.padEnd(28)}${state.padEnd(9)}${String(found.length).padStart(3)}  ${listed(found)}`);
      }
    }
    console.log(`\nThe matrix\n${lines.join('\n')}\n`);
    console.log(
      Object.entries(counts)
        .map(([state, count]) => `${count} ${state}`)
        .join(', '),
    );
  }
}

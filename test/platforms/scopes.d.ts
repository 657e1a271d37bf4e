import type * as Retrograd from '../../bindings/index.ts';

/** All scenarios, each with the number of blocks that it may leave for the last net. */
export function scenariosOf(r: typeof Retrograd): Record<string, [left: number, run: () => unknown]>;
/** Runs all. @returns for each what went wrong, or null */
export function runScenarios(r: typeof Retrograd): Promise<Record<string, string | null>>;

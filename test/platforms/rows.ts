// The rows of the matrix that a file of tests has.
import { ENGINES, type EngineId, type Found, find } from '../../tools/engines.ts';

/** Engines by their title, and whether they are here: for describe.each(…)('%s', …). */
export const rowsOf = <Id extends EngineId>(ids: readonly Id[]): [title: string, id: Id, found: Found][] =>
  ids.map((id) => [ENGINES[id].title, id, find(id)]);

/** The command of an engine; where it is not here, the test ends as skipped, and says why. */
export function needs(found: Found, skip: (reason: string) => never): readonly string[] {
  return 'missing' in found ? skip(found.missing) : found.command;
}

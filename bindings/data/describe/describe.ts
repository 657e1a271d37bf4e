// What is in a source: types, ranges, what is missing, examples. What looks at it, look.ts, comes with the first.
import { signature } from '../../signature.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import type { Description } from './summary.ts';

/** Options of {@link describe}. */
export interface DescribeOptions {
  /** The most records that are looked at. @defaultValue Infinity */
  limit?: number;
}

const toDescribe = signature('describe(pipeline: object, *, limit: number = Infinity)');

/**
 * Looks at the records of a pipeline, in one pass: what types they have, in which ranges, what is missing, and
 * examples.
 * @example
 * ```ts
 * const found = await data.describe(data.from({ price: Float32Array.of(3, 4, 5), kind: ['a', 'b', 'a'] }));
 * console.log(`${found}`); // a table; found.toHtml() is a page with pictures
 * ```
 * @throws ArgumentError; what the pipeline throws
 */
export async function describe(
  ...args: [pipeline: Pipeline<unknown>, options?: DescribeOptions]
): Promise<Description> {
  const [pipeline, limit] = toDescribe.parse(args) as [Pipeline<unknown>, number];
  const { look } = await import('./look.ts');
  return look(pipeline, limit);
}

// Kernels that wait for the next one, where that may do their work in passing: tfjs asks for a convolution and then for
// its bias, for a step and then for its product with a gradient. To write a large tensor only to read it again takes
// longer than all that is computed with it, and gradients keep it, without ever looking at it.
import type { Data, Later } from './data.ts';

/** Elements of a result for which it is worth to wait. */
export const WORTH = 4096;

/** What waits, by the data of its results. */
export class Waiting {
  readonly #all = new Set<Data>();

  add(data: Data, later: Later): void {
    // What waits itself is computed now.
    for (const input of later.inputs) input.block.version;
    for (const input of later.inputs) input.readers++;
    data.later = later;
    this.#all.add(data);
  }

  /** It waits no more. @param release is told of what it was to be computed from */
  end(data: Data, { inputs }: Later, release: (input: Data) => void): void {
    this.#all.delete(data);
    data.later = null;
    for (const input of inputs) {
      input.readers--;
      release(input);
    }
  }

  /** All that wait, or all that are going to read `input`. */
  all(input?: Data): Data[] {
    return [...this.#all].filter(({ later }) => !input || later?.inputs.includes(input));
  }
}

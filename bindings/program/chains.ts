// Which commands become one loop: elementwise ones over the same number of elements that follow one another and share
// operands. They run block by block, so that what one writes is still in the cache when the next one reads it.

/** A place that a command touches. */
export interface ChainOperand {
  readonly block: unknown;
  /** Bytes from the start of the block. */
  readonly offset: number;
  /** Bytes from one element to the next. */
  readonly step: number;
  readonly writes: boolean;
}

/** What chains() has to know of a command. */
export interface Link {
  /** Elements, where it may become part of a loop; otherwise 0. */
  readonly elements: number;
  /**
   * It goes by rows of so many elements; 1: by elements. Commands by rows of other lengths are no links of one chain.
   */
  readonly row: number;
  readonly operands: readonly ChainOperand[];
  /** It may end the program: nothing moves past it. */
  readonly checks: boolean;
}

/** How the commands of a chain touch a block. */
interface Use {
  readonly offset: number;
  readonly step: number;
  /** All of them touch element i at offset + step · i. */
  alike: boolean;
  written: boolean;
}

/** Commands that may become one loop, and what they touch. */
class Chain<C> {
  readonly commands: C[] = [];
  elements = 0;
  row = 1;
  readonly #uses = new Map<unknown, Use>();
  #aligned = true;

  /**
   * Notes what a command touches.
   * @returns whether the elements of every block that is both written and touched twice lie alike for all commands so
   * far: only then it makes no difference to go block by block. Once they do not, nothing more may be added
   */
  admits({ elements, row, operands }: Link): boolean {
    this.elements = elements;
    this.row = Math.max(this.row, row);
    for (const { block, offset, step, writes } of operands) {
      let use = this.#uses.get(block);
      if (!use) {
        use = { offset, step, alike: true, written: false };
        this.#uses.set(block, use);
      }
      if (use.offset !== offset || use.step !== step) use.alike = false;
      if (writes) use.written = true;
      if (use.written && !use.alike) this.#aligned = false;
    }
    return this.#aligned;
  }

  shares({ operands }: Link): boolean {
    return operands.some(({ block }) => this.#uses.has(block));
  }

  /** Whether a command that follows may as well run before all of them. */
  commutes({ operands, checks }: Link): boolean {
    return (
      !checks &&
      operands.every(({ block, writes }) => {
        const use = this.#uses.get(block);
        return !use || !(writes || use.written);
      })
    );
  }
}

/**
 * Puts commands together that become a loop; the others stay alone. A command in between that touches nothing of
 * theirs, such as a constant that is made between two links, moves before them. O(n) for n operands.
 * @param least fewer elements stay in the cache without a loop
 */
export function chains<C>(commands: readonly C[], linkOf: (command: C) => Link, least: number): C[][] {
  const groups: C[][] = [];
  let chain = new Chain<C>();
  const close = (): void => {
    if (chain.commands.length === 0) return;
    groups.push(chain.commands);
    chain = new Chain();
  };
  for (const command of commands) {
    const link = linkOf(command);
    if (link.elements < least) {
      if (!chain.commutes(link)) close();
      groups.push([command]);
      continue;
    }
    const fits = chain.elements === link.elements && (chain.row === 1 || link.row === 1 || chain.row === link.row);
    const joins = fits && chain.shares(link) && chain.admits(link);
    if (!joins) {
      close();
      chain.admits(link);
    }
    chain.commands.push(command);
  }
  close();
  return groups;
}

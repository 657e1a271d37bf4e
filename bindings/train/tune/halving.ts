// Which trials go on: successive halving as trials come (L. Li and others, 2020: ASHA), in one bracket or, as Hyperband
// has it, in several.

/** What it is told. */
export interface Halving {
  readonly scheduler: 'asha' | 'hyperband' | null;
  readonly minResource: number;
  readonly maxResource: number;
  readonly reductionFactor: number;
}

/** Values at rungs, by their brackets. */
export class Rungs {
  readonly #options: Halving;
  /** Values that reached a rung, by bracket and rung. */
  readonly #values = new Map<string, number[]>();
  /** The brackets that trials fall into by turns: more for those that stop early. */
  readonly #turns: readonly number[];

  constructor(options: Halving) {
    this.#options = options;
    const { minResource, maxResource, reductionFactor, scheduler } = options;
    const last = Math.max(0, Math.floor(Math.log(maxResource / minResource) / Math.log(reductionFactor) + 1e-9));
    // Bracket s begins s rungs later, with as many trials fewer as makes brackets cost alike.
    const count = (s: number): number => Math.ceil(((last + 1) / (s + 1)) * reductionFactor ** (last - s));
    this.#turns =
      scheduler === 'hyperband'
        ? Array.from({ length: last + 1 }, (_, s) =>
            new Array<number>(Math.max(1, Math.round(count(s) / count(last)))).fill(s),
          ).flat()
        : [0];
  }

  /** Notes that a trial reached a step. @param value the less, the better @returns whether it goes on */
  reached(trial: number, passed: number, step: number, value: number): boolean {
    const { scheduler, minResource, maxResource, reductionFactor } = this.#options;
    if (!scheduler) return true;
    const bracket = this.#turns[trial % this.#turns.length] as number;
    let goesOn = true;
    for (let rung = minResource * reductionFactor ** bracket; rung < maxResource; rung *= reductionFactor) {
      if (rung <= passed || rung > step) continue;
      const key = `${bracket} ${rung}`;
      const values = this.#values.get(key) ?? [];
      this.#values.set(key, values);
      values.push(value);
      const better = values.filter((other) => other < value || (Number.isNaN(value) && !Number.isNaN(other))).length;
      goesOn &&= better < Math.max(1, Math.floor(values.length / reductionFactor));
    }
    return goesOn;
  }
}

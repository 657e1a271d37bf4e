// Means of figures over batches, weighted by the sizes of those.
import type { Figures } from './callbacks/callback.ts';

/** Sums of figures, and of the weights of each. */
export interface MeansState {
  /** Sums by name. */
  readonly sums: Figures;
  /** Weights by name: a figure may be missing in some steps. */
  readonly weights: Figures;
}

export class Means {
  #sums: Figures = {};
  #weights: Figures = {};

  reset(): void {
    this.#sums = {};
    this.#weights = {};
  }

  add(figures: Readonly<Figures>, weight: number): void {
    for (const name in figures) {
      this.#sums[name] = (this.#sums[name] ?? 0) + (figures[name] as number) * weight;
      this.#weights[name] = (this.#weights[name] ?? 0) + weight;
    }
  }

  values(): Figures {
    return Object.fromEntries(
      Object.entries(this.#sums).map(([name, sum]) => [name, sum / (this.#weights[name] as number)]),
    );
  }

  state(): MeansState {
    return { sums: { ...this.#sums }, weights: { ...this.#weights } };
  }

  loadState({ sums, weights }: MeansState): void {
    this.#sums = { ...sums };
    this.#weights = { ...weights };
  }
}

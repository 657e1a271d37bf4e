// Watches `.grad` and requiresGrad of all tensors while compile() traces. T is Tensor, which stands above.

export interface GradientWatch<T> {
  /** @returns what the reader shall get */
  read(x: T, grad: T | null): T | null;
  /** @param before what will be replaced */
  write(x: T, before: T | null): void;
  /** Another look at memory was made, of which nobody knew before. */
  made(x: T): void;
  /** Whether a gradient was made since the watch began. */
  owns(grad: T): boolean;
  /**
   * @param before what `requiresGrad` was
   * @param written whether a noted write is about to give `x` another history
   */
  freeze(x: T, before: boolean, written?: boolean): void;
}

// biome-ignore lint/suspicious/noExplicitAny: see above
export const gradients: { watch: GradientWatch<any> | null } = { watch: null };

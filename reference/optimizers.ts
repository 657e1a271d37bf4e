// Optimizers: a rule for one parameter holds its state and changes the values in place.

type Values = Float64Array;

/** Step number t, from 1, of the parameter `p` with gradient `g`. */
export type Rule = (p: Values, g: ArrayLike<number>, t: number) => void;

export const sgd =
  ({ lr }: { readonly lr: number }): Rule =>
  (p, g) => {
    for (let i = 0; i < p.length; i++) p[i] = (p[i] as number) - lr * (g[i] as number);
  };

export interface AdamOptions {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
}

/** @param n elements of the parameter */
export function adam({ lr, betas: [beta1, beta2], eps }: AdamOptions, n: number): Rule {
  const [m, v] = [new Float64Array(n), new Float64Array(n)];
  return (p, g, t) => {
    for (let i = 0; i < n; i++) {
      const gi = g[i] as number;
      m[i] = beta1 * (m[i] as number) + (1 - beta1) * gi;
      v[i] = beta2 * (v[i] as number) + (1 - beta2) * gi * gi;
      const scale = Math.sqrt((v[i] as number) / (1 - beta2 ** t)) + eps;
      p[i] = (p[i] as number) - (lr * ((m[i] as number) / (1 - beta1 ** t))) / scale;
    }
  };
}

/** What a step changes of one element, by name; a buffer that is not used is absent. */
export type State = Readonly<Record<string, number>>;
/** All settings that the rules below know. */
export interface Settings {
  readonly lr: number;
  readonly weightDecay: number;
  readonly maximize: boolean;
}
const direction = ({ maximize, weightDecay }: Settings, p: number, g: number): number =>
  (maximize ? -g : g) + weightDecay * p;

/** Steps of one element, by the formulas of PyTorch's documentation; t counts from 1. Each gives the state after it. */
export const steps = {
  sgd(
    s: Settings & { readonly momentum: number; readonly dampening: number; readonly nesterov: boolean },
    { p, momentum: buffer }: State & { readonly p: number },
    g: number,
    t: number,
  ): State {
    const d = direction(s, p, g);
    if (buffer === undefined) return { p: p - s.lr * d };
    const b = t === 1 ? d : s.momentum * buffer + (1 - s.dampening) * d;
    return { p: p - s.lr * (s.nesterov ? d + s.momentum * b : b), momentum: b };
  },
  adam(
    s: Settings & { readonly betas: readonly [number, number]; readonly eps: number; readonly decoupled: boolean },
    { p, average, square, maximum }: State & Readonly<Record<'p' | 'average' | 'square', number>>,
    g: number,
    t: number,
  ): State {
    const [beta1, beta2] = s.betas;
    const d = direction(s.decoupled ? { ...s, weightDecay: 0 } : s, p, g);
    const m = beta1 * average + (1 - beta1) * d;
    const v = beta2 * square + (1 - beta2) * d * d;
    const top = maximum === undefined ? undefined : Math.max(maximum, v);
    const root = Math.sqrt((top ?? v) / (1 - beta2 ** t)) + s.eps;
    const kept = s.decoupled ? p * (1 - s.lr * s.weightDecay) : p;
    const after = { p: kept - (s.lr * (m / (1 - beta1 ** t))) / root, average: m, square: v };
    return top === undefined ? after : { ...after, maximum: top };
  },
  rmsprop(
    s: Settings & { readonly alpha: number; readonly eps: number; readonly momentum: number },
    { p, square, average, momentum: buffer }: State & Readonly<Record<'p' | 'square', number>>,
    g: number,
  ): State {
    const d = direction(s, p, g);
    const v = s.alpha * square + (1 - s.alpha) * d * d;
    const m = average === undefined ? undefined : s.alpha * average + (1 - s.alpha) * d;
    const u = d / (Math.sqrt(v - (m ?? 0) ** 2) + s.eps);
    const b = buffer === undefined ? undefined : s.momentum * buffer + u;
    return {
      p: p - s.lr * (b ?? u),
      square: v,
      ...(m === undefined ? {} : { average: m }),
      ...(b === undefined ? {} : { momentum: b }),
    };
  },
  adagrad(
    s: Settings & { readonly lrDecay: number; readonly eps: number },
    { p, sum }: State & Readonly<Record<'p' | 'sum', number>>,
    g: number,
    t: number,
  ): State {
    const d = direction(s, p, g);
    const total = sum + d * d;
    return { p: p - ((s.lr / (1 + (t - 1) * s.lrDecay)) * d) / (Math.sqrt(total) + s.eps), sum: total };
  },
};

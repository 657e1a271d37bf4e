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
  sparseAdam(
    s: Pick<Settings, 'lr' | 'maximize'> & { readonly betas: readonly [number, number]; readonly eps: number },
    { p, average, square }: Readonly<Record<'p' | 'average' | 'square', number>>,
    g: number,
    t: number,
  ): Record<'p' | 'average' | 'square', number> {
    const [beta1, beta2] = s.betas;
    const m = beta1 * average + (1 - beta1) * (s.maximize ? -g : g);
    const v = beta2 * square + (1 - beta2) * g * g;
    const size = (s.lr * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
    return { p: p - (size * m) / (Math.sqrt(v) + s.eps), average: m, square: v };
  },
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
  adadelta(
    s: Settings & { readonly rho: number; readonly eps: number },
    { p, square, delta }: State & Readonly<Record<'p' | 'square' | 'delta', number>>,
    g: number,
  ): State {
    const d = direction(s, p, g);
    const v = s.rho * square + (1 - s.rho) * d * d;
    const u = (Math.sqrt(delta + s.eps) / Math.sqrt(v + s.eps)) * d;
    return { p: p - s.lr * u, square: v, delta: s.rho * delta + (1 - s.rho) * u * u };
  },
  adamax(
    s: Settings & { readonly betas: readonly [number, number]; readonly eps: number },
    { p, average, norm }: State & Readonly<Record<'p' | 'average' | 'norm', number>>,
    g: number,
    t: number,
  ): State {
    const [beta1, beta2] = s.betas;
    const d = direction(s, p, g);
    const m = beta1 * average + (1 - beta1) * d;
    const u = Math.max(beta2 * norm, Math.abs(d) + s.eps);
    return { p: p - ((s.lr / (1 - beta1 ** t)) * m) / u, average: m, norm: u };
  },
  lion(
    s: Settings & { readonly betas: readonly [number, number] },
    { p, average }: State & Readonly<Record<'p' | 'average', number>>,
    g: number,
  ): State {
    const [beta1, beta2] = s.betas;
    const d = s.maximize ? -g : g;
    const u = Math.sign(beta1 * average + (1 - beta1) * d);
    return { p: p * (1 - s.lr * s.weightDecay) - s.lr * u, average: beta2 * average + (1 - beta2) * d };
  },
  asgd(
    s: Settings & Readonly<Record<'lambd' | 'alpha' | 't0', number>>,
    { p, average, eta, mu }: State & Readonly<Record<'p' | 'average' | 'eta' | 'mu', number>>,
    g: number,
    t: number,
  ): State {
    const d = direction(s, p, g);
    const next = p * (1 - s.lambd * eta) - eta * d;
    return {
      p: next,
      average: average + (next - average) * mu,
      eta: s.lr / (1 + s.lambd * s.lr * t) ** s.alpha,
      mu: 1 / Math.max(1, t - s.t0),
    };
  },
  rprop(
    s: Settings & Readonly<Record<'etas' | 'stepSizes', readonly [number, number]>>,
    { p, previous, size }: State & Readonly<Record<'p' | 'previous' | 'size', number>>,
    g: number,
  ): State {
    const d = s.maximize ? -g : g;
    const turn = Math.sign(d * previous);
    const factor = turn < 0 ? s.etas[0] : turn > 0 ? s.etas[1] : 1;
    const next = Math.min(Math.max(size * factor, s.stepSizes[0]), s.stepSizes[1]);
    const u = turn < 0 ? 0 : d;
    return { p: p - Math.sign(u) * next, previous: u, size: next };
  },
  nadam(
    s: Settings & {
      readonly betas: readonly [number, number];
      readonly eps: number;
      readonly momentumDecay: number;
      readonly decoupled: boolean;
    },
    { p, average, square, product }: State & Readonly<Record<'p' | 'average' | 'square' | 'product', number>>,
    g: number,
    t: number,
  ): State {
    const [beta1, beta2] = s.betas;
    const momentum = (at: number): number => beta1 * (1 - 0.5 * 0.96 ** (at * s.momentumDecay));
    const d = direction(s.decoupled ? { ...s, weightDecay: 0 } : s, p, g);
    const m = beta1 * average + (1 - beta1) * d;
    const v = beta2 * square + (1 - beta2) * d * d;
    const all = product * momentum(t);
    const root = Math.sqrt(v / (1 - beta2 ** t)) + s.eps;
    const next = momentum(t + 1);
    const kept = s.decoupled ? p * (1 - s.lr * s.weightDecay) : p;
    const moved = ((1 - momentum(t)) / (1 - all)) * d + (next / (1 - all * next)) * m;
    return { p: kept - (s.lr * moved) / root, average: m, square: v, product: all };
  },
  radam(
    s: Settings & { readonly betas: readonly [number, number]; readonly eps: number; readonly decoupled: boolean },
    { p, average, square }: State & Readonly<Record<'p' | 'average' | 'square', number>>,
    g: number,
    t: number,
  ): State {
    const [beta1, beta2] = s.betas;
    const d = direction(s.decoupled ? { ...s, weightDecay: 0 } : s, p, g);
    const m = beta1 * average + (1 - beta1) * d;
    const v = beta2 * square + (1 - beta2) * d * d;
    const kept = s.decoupled ? p * (1 - s.lr * s.weightDecay) : p;
    const whole = 2 / (1 - beta2) - 1;
    const rho = whole - (2 * t * beta2 ** t) / (1 - beta2 ** t);
    const rect = Math.sqrt(((rho - 4) * (rho - 2) * whole) / ((whole - 4) * (whole - 2) * rho));
    const by = rho > 5 ? (rect * Math.sqrt(1 - beta2 ** t)) / (Math.sqrt(v) + s.eps) : 1;
    return { p: kept - (s.lr / (1 - beta1 ** t)) * m * by, average: m, square: v };
  },
};

/** What LAMB leaves of a whole parameter: u is its direction, and squares the squared norms of p before and of u. */
export function lamb(
  s: Settings & { readonly betas: readonly [number, number]; readonly eps: number; readonly biasCorrection: boolean },
  state: Readonly<Record<'p' | 'g' | 'average' | 'square', ArrayLike<number>>>,
  t: number,
): Record<'p' | 'average' | 'square' | 'u' | 'squares', number[]> {
  const [beta1, beta2] = s.betas;
  const [one, two] = s.biasCorrection ? [1 - beta1 ** t, 1 - beta2 ** t] : [1, 1];
  const p = Array.from(state.p);
  const g = Array.from(state.g, (x) => (s.maximize ? -x : x));
  const average = g.map((d, i) => beta1 * (state.average[i] as number) + (1 - beta1) * d);
  const square = g.map((d, i) => beta2 * (state.square[i] as number) + (1 - beta2) * d * d);
  const u = p.map(
    (x, i) => -((average[i] as number) / one / (Math.sqrt((square[i] as number) / two) + s.eps) + s.weightDecay * x),
  );
  const squares = [p, u].map((xs) => xs.reduce((sum, x) => sum + x * x, 0));
  const [a, b] = squares as [number, number];
  const trust = a > 0 && b > 0 ? Math.sqrt(a / b) : 1;
  return { p: p.map((x, i) => x + s.lr * trust * (u[i] as number)), average, square, u, squares };
}

// L-BFGS, by the algorithm of PyTorch. Its losses decide how it goes on, so that it has no program.
import { ops, withoutTape, withTape } from '../autograd.ts';
import { tracing, upload } from '../execute.ts';
import { abs, add, amax, mul, neg, reshape, sub, sum } from '../functional/functions.ts';
import { ArgumentError, RecordingError, ShapeError } from '../memory/errors.ts';
import { scope } from '../scope.ts';
import { type Arguments, signature } from '../signature.ts';
import { checkGradient, Tensor } from '../tensor.ts';
import { denseOf } from '../walk.ts';
import { type Place, strongWolfe } from './line-search.ts';
import { type NewGroup, Optimizer, type OptimizerState, type Params } from './optimizer.ts';
import { savedNumbers } from './saved.ts';
import { expectObject, expectRange } from './settings.ts';

/** Options of LBFGS. */
export interface LBFGSOptions {
  /** The length of steps, of the first at most 1 / Σ|g|; where a search begins. @defaultValue 1 */
  lr: number;
  /** Steps of one call, at most. @defaultValue 20 */
  maxIter: number;
  /** Evaluations of one call, at most; null: 5/4 of maxIter. @defaultValue null */
  maxEval: number | null;
  /** A largest element of the gradient that ends a call. @defaultValue 1e-7 */
  toleranceGrad: number;
  /** A change of the loss or of the weights that ends a call. @defaultValue 1e-9 */
  toleranceChange: number;
  /** How many steps it remembers, each with two copies of the parameters. @defaultValue 100 */
  historySize: number;
  /** Whether steps end where the strong Wolfe conditions hold. @defaultValue null */
  lineSearchFn: 'strongWolfe' | null;
}

const declared = signature(
  "LBFGS(params: any, lr: number = 1, maxIter: int = 20, maxEval: int|null = null, toleranceGrad: number = 1e-7, toleranceChange: number = 1e-9, historySize: int = 100, lineSearchFn: 'strongWolfe'|null = null)",
);
const takesStep = signature('LBFGS.step(closure: function)');
const takesGroup = signature('LBFGS.addParamGroup(paramGroup: object)');
const takesState = signature('LBFGS.stateDict()');
const takesDispose = signature('LBFGS.dispose()');

/** What it remembers from step to step; numbers are f32 ones, as files keep them. */
interface Memory {
  nIter: number;
  funcEvals: number;
  t: number;
  hDiag: number;
  prevLoss: number;
  d: Tensor | null;
  prevFlatGrad: Tensor | null;
  oldDirs: Tensor[];
  oldStps: Tensor[];
  ro: number[];
}

const nothing = (): Memory => ({
  ...{ nIter: 0, funcEvals: 0, t: 0, hDiag: 1, prevLoss: 0, d: null, prevFlatGrad: null },
  ...{ oldDirs: [], oldStps: [], ro: [] },
});

const tensorsOf = ({ d, prevFlatGrad, oldDirs, oldStps }: Memory): Tensor[] =>
  [d, prevFlatGrad, ...oldDirs, ...oldStps].filter((x) => x !== null);

const dot = (a: Tensor, b: Tensor): number => sum(mul(a, b)).item();
const largest = (x: Tensor): number => amax(abs(x)).item();

/**
 * L-BFGS: steps along the gradient times an inverse of the Hessian that is built from the last of them (Nocedal 1980),
 * for small problems with whole data sets. All parameters are one group, and one call of `step` makes many steps.
 * @example
 * ```ts
 * const model = new nn.Linear(2, 1);
 * const [x, y] = [randn([16, 2]), randn([16, 1])];
 * const optimizer = new optim.LBFGS(model.parameters(), { lineSearchFn: 'strongWolfe' });
 * const loss = optimizer.step(() => {
 *   optimizer.zeroGrad();
 *   const loss = functional.mseLoss(model.forward(x), y);
 *   loss.backward();
 *   return loss;
 * });
 * console.log(loss.item()); // before the first of the steps
 * ```
 */
export class LBFGS extends Optimizer<LBFGSOptions> {
  #memory = nothing();

  /** @param params parameters, in one group */
  constructor(
    ...args: Arguments<
      [params: Params<LBFGSOptions>],
      [
        lr: number,
        maxIter: number,
        maxEval: number | null,
        toleranceGrad: number,
        toleranceChange: number,
        historySize: number,
        lineSearchFn: 'strongWolfe' | null,
      ],
      Partial<LBFGSOptions>
    >
  ) {
    super(declared, args);
    if (this.paramGroups.length !== 1)
      throw new ArgumentError(`LBFGS: expected one group of parameters, got ${this.paramGroups.length}`);
  }
  /** @internal */
  protected check(options: LBFGSOptions): void {
    const { lr, toleranceGrad, toleranceChange, maxIter, maxEval, historySize } = options;
    for (const [name, value] of Object.entries({ lr, toleranceGrad, toleranceChange }))
      expectRange('LBFGS', name, value);
    expectRange('LBFGS', 'maxIter', maxIter, 1);
    expectRange('LBFGS', 'maxEval', maxEval ?? 1, 1);
    expectRange('LBFGS', 'historySize', historySize, 1);
  }
  /** @internal */
  protected hyper(): readonly number[] {
    return [];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return {};
  }
  /** @internal */
  protected update(): void {}

  /** There is one group. @throws ArgumentError always */
  override addParamGroup(group: NewGroup<LBFGSOptions>): void;
  override addParamGroup(...args: unknown[]): void {
    takesGroup.parse(args);
    throw new ArgumentError('addParamGroup: expected one group of parameters with LBFGS, got another one');
  }

  /**
   * Makes up to `maxIter` steps; or none, where it throws.
   * @param closure computes the loss anew, calls backward(), and gives the loss; it is called many times
   * @returns what the closure gave first
   * @throws RecordingError inside of compile(); what the closure throws; OutOfMemoryError
   */
  override step(closure?: undefined): void;
  override step<T>(closure: () => T): T;
  override step(...args: unknown[]): unknown {
    const [closure] = takesStep.parse(args) as [() => unknown];
    const op = 'LBFGS.step';
    if (tracing())
      throw new RecordingError(
        `${op}: expected a call outside of compile(), where losses can be read, got one inside; compile the closure's forward and backward instead`,
      );
    const params = this.checked('step');
    return scope(() => {
      const before = withoutTape(() => params.map((p) => ops.contiguous({ x: ops.add({ a: p, b: zero() }) })));
      try {
        const { first, memory } = new Run(this.paramGroups[0] as LBFGSOptions, params, closure).run(this.#memory);
        const old = tensorsOf(this.#memory);
        const now = tensorsOf(memory);
        for (const x of now) x.keep();
        for (const x of old) if (!now.includes(x)) x.dispose();
        this.#memory = memory;
        return first;
      } catch (error) {
        withoutTape(() => {
          for (const [i, p] of params.entries()) ops.copy({ y: p, x: before[i] as Tensor });
        });
        throw error;
      }
    });
  }

  /** State and options; what it remembers is of the first parameter, as in PyTorch. */
  override stateDict(): OptimizerState;
  override stateDict(...args: unknown[]): OptimizerState {
    takesState.parse(args);
    const { paramGroups } = super.stateDict();
    const { nIter, funcEvals, t, hDiag, prevLoss, d, prevFlatGrad, oldDirs, oldStps, ro } = this.#memory;
    if (!d || !prevFlatGrad) return { state: {}, paramGroups };
    const one = (x: number) => ({ dtype: 'f32' as const, shape: [], data: Float32Array.of(x) });
    const vector = ({ dtype, shape, data }: Tensor) => ({ dtype: dtype as 'f32', shape, data: data as Float32Array });
    const many = (list: readonly Tensor[]) => {
      const data = new Float32Array(list.length * d.size);
      for (const [i, x] of list.entries()) data.set(x.data as Float32Array, i * d.size);
      return { dtype: 'f32' as const, shape: [list.length, d.size], data };
    };
    const own = {
      ...{ func_evals: one(funcEvals), n_iter: one(nIter), d: vector(d), t: one(t) },
      ...{ old_dirs: many(oldDirs), old_stps: many(oldStps) },
      ro: { dtype: 'f32' as const, shape: [ro.length], data: Float32Array.from(ro) },
      ...{ H_diag: one(hDiag), prev_flat_grad: vector(prevFlatGrad), prev_loss: one(prevLoss) },
    };
    return { state: { 0: own }, paramGroups };
  }

  /** @internal */
  override prepareStateDict(saved: OptimizerState): () => void {
    const op = 'loadStateDict';
    expectObject(op, 'what stateDict() gave', saved);
    const { state, ...rest } = saved;
    expectObject(op, 'the state', state);
    const settings = super.prepareStateDict({ ...rest, state: {} } as unknown as OptimizerState);
    const keys = Object.keys(state);
    if (keys.length > 1) throw new ArgumentError(`${op}: expected one state with LBFGS, got ${keys.length}`);
    const size = this.checked(op).reduce((n, p) => n + p.size, 0);
    const memory =
      keys.length === 0 ? nothing() : memoryOf(op, (state as Record<string, unknown>)[keys[0] as string], size);
    return () => {
      settings();
      for (const x of tensorsOf(this.#memory)) x.dispose();
      this.#memory = memory;
    };
  }

  /** Gives back the memory of the state; the parameters stay. */
  override dispose(): void;
  override dispose(...args: unknown[]): void {
    takesDispose.parse(args);
    super.dispose();
    for (const x of tensorsOf(this.#memory)) x.dispose();
    this.#memory = nothing();
  }
}

const zero = (): Tensor => ops.full({}, { shape: [], value: 0 });

/** What a saved memory has. */
const NAMES = [
  ...['func_evals', 'n_iter', 'd', 't', 'old_dirs', 'old_stps', 'ro', 'H_diag', 'prev_flat_grad', 'prev_loss'],
];

/** A saved memory, PyTorch's with lists as well. @throws ArgumentError, ShapeError for what is none */
function memoryOf(op: string, saved: unknown, size: number): Memory {
  expectObject(op, 'the state of LBFGS', saved);
  // PyTorch keeps the factors of the last direction as well, which nothing reads.
  const strange = Object.keys(saved).find((name) => name !== 'al' && !NAMES.includes(name));
  if (strange !== undefined)
    throw new ArgumentError(`${op}: expected ${NAMES.join(', ')} as the state of LBFGS, got '${strange}'`);
  const numbers = (name: string, x: unknown, shape: readonly number[]): ArrayLike<number> =>
    typeof x === 'number' && shape.length === 0 ? [x] : savedNumbers(op, name, x, shape, true);
  const one = (name: string): number => Math.fround(numbers(name, saved[name], [])[0] as number);
  const items = (name: string, shape: readonly number[]): ArrayLike<number>[] => {
    const x = saved[name];
    if (Array.isArray(x)) return x.map((item) => numbers(name, item, shape));
    const count = ((x as { shape?: readonly number[] } | undefined)?.shape ?? [])[0] ?? 0;
    const all = Array.from(numbers(name, x, [count, ...shape]));
    const length = shape[0] ?? 1;
    return Array.from({ length: count }, (_, i) => all.slice(i * length, (i + 1) * length));
  };
  const made: Tensor[] = [];
  const vector = (data: ArrayLike<number>): Tensor => {
    const x = Tensor.allocate([size], 'f32', 'optimizer').keep();
    made.push(x);
    upload(x, data);
    return x;
  };
  const [dirs, stps] = [items('old_dirs', [size]), items('old_stps', [size])];
  const ro = items('ro', []).map((x) => Math.fround(x[0] as number));
  if (dirs.length !== stps.length || dirs.length !== ro.length)
    throw new ShapeError(
      `${op}: expected as many old_dirs, old_stps and ro, got ${dirs.length}, ${stps.length} and ${ro.length}`,
    );
  try {
    return {
      ...{ nIter: one('n_iter'), funcEvals: one('func_evals'), t: one('t'), hDiag: one('H_diag') },
      prevLoss: one('prev_loss'),
      d: vector(numbers('d', saved.d, [size])),
      prevFlatGrad: vector(numbers('prev_flat_grad', saved.prev_flat_grad, [size])),
      ...{ oldDirs: dirs.map(vector), oldStps: stps.map(vector), ro },
    };
  } catch (error) {
    for (const x of made) x.dispose();
    throw error;
  }
}

/** One call of step(). */
class Run {
  readonly #options: LBFGSOptions;
  readonly #params: readonly Tensor[];
  readonly #closure: () => unknown;
  #first: unknown;
  #evaluations = 0;

  constructor(options: LBFGSOptions, params: readonly Tensor[], closure: () => unknown) {
    this.#options = options;
    this.#params = params;
    this.#closure = closure;
  }

  /** The loss where the parameters are, and their gradient as one vector. */
  #evaluate(): { f: number; g: Tensor } {
    this.#evaluations++;
    const loss = withTape(true, this.#closure, 'step');
    this.#first ??= loss;
    const f = Math.fround(loss instanceof Tensor ? loss.item() : Number(loss));
    const g = scope(() => {
      const parts = this.#params.map((p) => {
        if (!p.grad) return ops.full({}, { shape: [p.size], value: 0 });
        checkGradient('step', p, p.grad);
        return reshape(denseOf(p.grad), [p.size]);
      });
      // A copy: gradients are written anew.
      return add(ops.concat({ xs: parts }, { dim: 0 }), 0);
    });
    return { f, g };
  }

  /** Moves all parameters by t along d. */
  #move(t: number, d: Tensor): void {
    scope(() => {
      let at = 0;
      for (const y of this.#params) {
        const part = ops.slice({ x: d }, { dim: 0, start: at, length: y.size, step: 1 });
        ops.addInto({ y, x: mul(reshape(part, y.sizes), t) });
        at += y.size;
      }
    });
  }

  /** The next direction: −g times the inverse of the Hessian that the memory has. */
  #direction(memory: Memory, g: Tensor): Tensor {
    const { oldDirs, oldStps, ro, hDiag } = memory;
    return scope(() => {
      const al: number[] = [];
      let q = neg(g);
      for (let i = oldDirs.length - 1; i >= 0; i--) {
        al[i] = dot(oldStps[i] as Tensor, q) * (ro[i] as number);
        q = sub(q, mul(oldDirs[i] as Tensor, al[i] as number));
      }
      let r = mul(q, hDiag);
      for (let i = 0; i < oldDirs.length; i++) {
        const be = dot(oldDirs[i] as Tensor, r) * (ro[i] as number);
        r = add(r, mul(oldStps[i] as Tensor, (al[i] as number) - be));
      }
      return r;
    });
  }

  /** Adds the last step to the memory. */
  #remember(memory: Memory, g: Tensor): void {
    const y = sub(g, memory.prevFlatGrad as Tensor);
    const s = mul(memory.d as Tensor, memory.t);
    const ys = dot(y, s);
    if (!(ys > 1e-10)) return;
    if (memory.oldDirs.length >= this.#options.historySize)
      for (const list of [memory.oldDirs, memory.oldStps, memory.ro]) list.shift();
    memory.oldDirs.push(y);
    memory.oldStps.push(s);
    memory.ro.push(Math.fround(1 / ys));
    memory.hDiag = Math.fround(ys / dot(y, y));
  }

  /**
   * Moves along d: as far as the search finds, or by t. @returns where that is; without a gradient after the last step
   */
  #go(t: number, d: Tensor, from: Place<Tensor>, last: boolean, most: number): { t: number; f: number; g: Tensor } {
    const { lineSearchFn, toleranceChange } = this.#options;
    if (lineSearchFn === null) {
      this.#move(t, d);
      return { ...(last ? from : this.#evaluate()), t };
    }
    const start = this.#params.map((p) => add(p, 0));
    const at = (where: number): Place<Tensor> => {
      this.#move(where, d);
      const { f, g } = this.#evaluate();
      for (const [i, p] of this.#params.entries()) ops.copy({ y: p, x: start[i] as Tensor });
      return { t: where, f, g, slope: dot(g, d) };
    };
    const found = strongWolfe(at, from, t, largest(d), toleranceChange, most - this.#evaluations);
    this.#move(found.t, d);
    return found;
  }

  run(before: Memory): { first: unknown; memory: Memory } {
    const { lr, maxIter, maxEval, toleranceGrad, toleranceChange } = this.#options;
    const most = maxEval ?? Math.floor((maxIter * 5) / 4);
    const memory: Memory = {
      ...before,
      oldDirs: [...before.oldDirs],
      oldStps: [...before.oldStps],
      ro: [...before.ro],
    };
    return withoutTape(() => {
      let { f, g } = this.#evaluate();
      let good = !(largest(g) > toleranceGrad);
      for (let i = 1; i <= maxIter && !good; i++) {
        memory.nIter++;
        if (memory.nIter === 1) memory.d = neg(g);
        else {
          this.#remember(memory, g);
          memory.d = this.#direction(memory, g);
        }
        memory.prevFlatGrad = g;
        memory.prevLoss = f;
        const { d } = memory;
        const t = memory.nIter === 1 ? Math.min(1, 1 / sum(abs(g)).item()) * lr : lr;
        memory.t = Math.fround(t);
        const slope = dot(g, d);
        if (slope > -toleranceChange) break;
        const next = this.#go(memory.t, d, { t: 0, f, g, slope }, i === maxIter, most);
        memory.t = Math.fround(next.t);
        ({ f, g } = next);
        good = !(largest(g) > toleranceGrad);
        if (this.#evaluations >= most) break;
        if (!(largest(d) * Math.abs(memory.t) > toleranceChange) || Math.abs(f - memory.prevLoss) < toleranceChange)
          break;
      }
      memory.funcEvals += this.#evaluations;
      return { first: this.#first, memory };
    });
  }
}

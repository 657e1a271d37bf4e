// Loops of optimizer.minimize(f): a step whose calls are those of an earlier one is replayed as one program. What f
// does this time only f knows, so its own code runs in each step; what it asks for is then computed by the program, and
// its gradients and the optimizer's step with it.
import { RecordingError } from '../../memory/errors.ts';
import { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import { type Call, perform, rootCall } from './calls.ts';
import { type Programs, reasonOf, sameKey } from './programs.ts';
import { type Context, Replay, Traced } from './replay.ts';
import { type Originals, Shadow } from './shadow.ts';
import type { TfOptimizer, TfTensor, TfVariable } from './tensorflow.ts';
import { patch, type Restore } from './updates.ts';

type Minimize = TfOptimizer['minimize'];

/** A program of a path, for what is asked of it: its loss, and which tensors are kept. */
interface Entry {
  readonly form: readonly unknown[];
  replay: Replay | null;
  /** Times that it was traced anew, since a variable was another. */
  renewals: number;
}

/** What has ended at a call with the same variables to train. */
interface End {
  readonly key: readonly unknown[];
  readonly entries: Entry[];
}

/** The ends of a path, and the variables that it reads. */
interface Ends {
  readonly variables: readonly TfVariable[];
  readonly all: End[];
}

/** The steps of an optimizer. */
interface Steps {
  root: Call;
  ends: WeakMap<Call, Ends>;
  replays: Replay[];
  /** Calls on all paths. */
  calls: number;
  /** Steps that ran as a program, that did not, and that could not be told. */
  hits: number;
  misses: number;
  stops: number;
  refused: boolean;
}

/** Programs of an optimizer. */
const MOST_PROGRAMS = 32;
/** Calls on the paths of an optimizer. */
const MOST_CALLS = 100_000;
/** Steps that are looked at before it is said that no two of them are alike. */
const MOST_MISSES = 8;
/** Steps that are looked at although those before could not be told. */
const MOST_STOPS = 3;
const MOST_RENEWALS = 3;

/** Ends the run of f inside of tfjs where nothing of it was computed. */
const DONE = { done: true };

/** A step that is to be computed. */
interface Step {
  readonly optimizer: TfOptimizer;
  readonly backend: Backend;
  readonly minimize: Minimize;
  readonly returnCost: boolean;
  readonly variables: TfVariable[] | undefined;
}

const dataOf = ({ sources }: Shadow, out: number): Data => (sources.outs[out] as TfTensor).dataId as Data;

export class Loops {
  readonly #context: Context;
  readonly #programs: Programs;
  readonly #steps = new WeakMap<TfOptimizer, Steps>();
  readonly #originals: Originals;
  /** The function that runs. */
  #active: Shadow | null = null;

  constructor(context: Context, programs: Programs) {
    this.#context = context;
    this.#programs = programs;
    const { engine } = context;
    const { runKernel, runKernelFunc } = engine;
    const { assign } = context.tf.Variable.prototype;
    this.#originals = {
      runKernel: (name, inputs, attrs) => runKernel.call(engine, name, inputs, attrs),
      runKernelFunc: (call) => runKernelFunc.call(engine, call),
      assign: (variable, value) => assign.call(variable, value),
    };
  }

  patch(): Restore[] {
    const loops = this;
    const { tf, engine } = this.#context;
    const originals = this.#originals;
    const watched = (): Shadow | null => (this.#active?.busy === false ? this.#active : null);
    return [
      patch(
        tf.Optimizer.prototype,
        'minimize',
        (minimize) =>
          function (this: TfOptimizer, f, returnCost = false, varList) {
            return loops.#run(this, minimize, f, returnCost, varList);
          },
      ),
      patch(engine, 'runKernel', () => (name, inputs, attrs) => {
        const shadow = watched();
        return shadow ? shadow.runKernel(name, inputs as never, attrs) : originals.runKernel(name, inputs, attrs);
      }),
      patch(engine, 'runKernelFunc', () => (call) => {
        const shadow = 'forwardFunc' in call ? watched() : null;
        return shadow ? shadow.runCustom(call as never) : originals.runKernelFunc(call);
      }),
      patch(engine, 'makeVariable', (makeVariable) => (...args) => {
        watched()?.stop('it makes variables');
        return makeVariable.apply(engine, args);
      }),
      patch(engine, 'gradients', (gradients) => (...args) => {
        watched()?.stop('it asks for gradients itself');
        return gradients.apply(engine, args);
      }),
      patch(
        tf.Variable.prototype,
        'assign',
        () =>
          function (this: TfVariable, value: TfTensor): void {
            const shadow = watched();
            if (shadow) shadow.assign(this, value);
            else originals.assign(this, value);
          },
      ),
    ];
  }

  #refuse(optimizer: TfOptimizer, why: string): void {
    const steps = this.#stepsOf(optimizer);
    this.#forget(steps);
    steps.refused = true;
    this.#programs.fallBack(`minimize() of an optimizer (${optimizer.getClassName()}) runs unaccelerated: ${why}`);
  }

  #stepsOf(optimizer: TfOptimizer): Steps {
    let steps = this.#steps.get(optimizer);
    if (!steps) {
      const counts = { calls: 0, hits: 0, misses: 0, stops: 0 };
      steps = { root: rootCall(), ends: new WeakMap(), replays: [], ...counts, refused: false };
      this.#steps.set(optimizer, steps);
      if (!this.#context.updates.ruleOf(optimizer)) {
        steps.refused = true;
        this.#programs.refuseOptimizer(optimizer);
      }
    }
    return steps;
  }

  /** Begins anew. */
  #forget(steps: Steps): void {
    for (const replay of steps.replays.splice(0)) replay.dispose();
    steps.root = rootCall();
    steps.ends = new WeakMap();
    steps.calls = 0;
  }

  #run(
    optimizer: TfOptimizer,
    minimize: Minimize,
    f: () => TfTensor,
    returnCost: boolean,
    variables: TfVariable[] | undefined,
  ): TfTensor | null {
    const { engine } = this.#context;
    const { backend, state } = engine;
    const isPlain =
      this.#active || !this.#programs.on || !(backend instanceof Backend) || backend.tracer || typeof f !== 'function';
    if (isPlain || state.profiling || state.gradientDepth > 0 || engine.ENV.getBool('DEBUG'))
      return minimize.call(optimizer, f, returnCost, variables);
    const steps = this.#stepsOf(optimizer);
    if (steps.refused) return minimize.call(optimizer, f, returnCost, variables);
    const step: Step = { optimizer, backend, minimize, returnCost, variables };
    const shadow = new Shadow(engine, backend, this.#originals, steps.root);
    let value = -1;
    try {
      const cost = minimize.call(
        optimizer,
        () => {
          const loss = this.#watch(shadow, f);
          if (!shadow.following) return loss;
          value = shadow.sources.outs.indexOf(loss);
          if (value < 0) shadow.stop('it returns a tensor that it has not made');
          else throw DONE;
          return loss;
        },
        returnCost,
        variables,
      );
      this.#note(steps, shadow, step);
      return cost;
    } catch (error) {
      if (error !== DONE) throw error;
      state.activeTape = null;
      shadow.restore();
      return this.#finish(steps, shadow, value, step);
    } finally {
      shadow.sources.end();
    }
  }

  #watch(shadow: Shadow, f: () => TfTensor): TfTensor {
    this.#active = shadow;
    let done = false;
    try {
      const loss = f();
      done = true;
      return loss;
    } finally {
      this.#active = null;
      // What it has kept lives on.
      if (!done) shadow.stop('it throws');
    }
  }

  /** A step that was computed by tfjs itself. */
  #note(steps: Steps, { made, at, stopped }: Shadow, step: Step): void {
    const { optimizer } = step;
    if (stopped) {
      if (++steps.stops >= MOST_STOPS && steps.stops > steps.hits / 8) this.#refuse(optimizer, stopped);
      return;
    }
    steps.misses++;
    steps.calls += made.length;
    this.#endOf(steps, at, made, step);
    if (steps.misses >= MOST_MISSES && steps.misses > steps.hits)
      this.#refuse(optimizer, 'it does something else in each step');
    else if (steps.calls > MOST_CALLS) this.#forget(steps);
  }

  /** @returns whether there is none yet, and it */
  #endOf(steps: Steps, at: Call, made: Shadow['made'], { variables }: Step): readonly [boolean, End] {
    let ends = steps.ends.get(at);
    if (!ends) {
      const read = made.flatMap(({ call }) => call.inputs.map((source) => source?.variable ?? null));
      ends = { variables: [...new Set(read)].filter((one): one is TfVariable => one !== null), all: [] };
      steps.ends.set(at, ends);
    }
    const key: unknown[] = [variables?.length];
    if (variables) for (const one of variables) key.push(one);
    for (const one of ends.variables) key.push(one.trainable);
    const known = ends.all.find((end) => sameKey(end.key, key));
    if (known) return [false, known];
    const end = { key, entries: [] };
    ends.all.push(end);
    return [true, end];
  }

  /** Computes a step of which f has run, and nothing else. */
  #finish(steps: Steps, shadow: Shadow, value: number, step: Step): TfTensor | null {
    const kept = shadow.kept();
    const [isNew, end] = this.#endOf(steps, shadow.at, shadow.made, step);
    // What an optimizer keeps for its weights is made by tfjs.
    const replay = isNew ? null : this.#replayOf(steps, end, shadow, value, kept, step);
    if (!replay) return this.#performAll(shadow, value, kept, step);
    const made = replay.compute(shadow.sources.data);
    this.#programs.stats.replays++;
    steps.hits++;
    const first = step.returnCost ? 1 : 0;
    kept.forEach((out, i) => {
      const from = made[i + first] as Data;
      dataOf(shadow, out).takeFrom(from);
      step.backend.disposeData(from);
    });
    const [dataId] = made;
    if (!step.returnCost || !dataId) return null;
    const { shape, dtype } = shadow.sources.outs[value] as TfTensor;
    return this.#context.engine.makeTensorFromTensorInfo({ dataId, shape, dtype });
  }

  #replayOf(steps: Steps, end: End, shadow: Shadow, value: number, kept: readonly number[], step: Step): Replay | null {
    const form = [step.backend, step.returnCost, value, ...kept];
    let entry = end.entries.find((one) => sameKey(one.form, form));
    if (!entry) {
      if (steps.replays.length >= MOST_PROGRAMS) {
        this.#forget(steps);
        return null;
      }
      entry = { form, replay: null, renewals: 0 };
      end.entries.push(entry);
    }
    try {
      if (entry.replay && !entry.replay.holds()) {
        entry.replay.dispose();
        entry.replay = null;
        if (++entry.renewals > MOST_RENEWALS) throw new RecordingError('it has other variables in each step');
      }
      if (!entry.replay) {
        entry.replay = this.#make(shadow, value, kept, step);
        steps.replays.push(entry.replay);
      }
      return entry.replay;
    } catch (error) {
      this.#refuse(step.optimizer, reasonOf(error));
      return null;
    }
  }

  /** Traces the calls, with the gradients and the optimizer's step that tfjs makes of them. */
  #make({ made, sources }: Shadow, value: number, kept: readonly number[], step: Step): Replay {
    const { engine } = this.#context;
    const { optimizer, backend, minimize, returnCost, variables } = step;
    this.#programs.stats.traces++;
    const fn = (stands: (TfTensor | null)[]): TfTensor[] => {
      let outs: TfTensor[] = [];
      const f = (): TfTensor => {
        outs = perform(engine, made, stands as TfTensor[]);
        for (const i of kept) engine.keep(outs[i] as TfTensor);
        return outs[value] as TfTensor;
      };
      const cost = minimize.call(optimizer, f, true, variables) as TfTensor;
      return [...(returnCost ? [cost] : []), ...kept.map((i) => outs[i] as TfTensor)];
    };
    const traced = new Traced(this.#context, backend, fn, sources.outside, optimizer);
    try {
      return this.#programs.keep(new Replay(this.#context, backend, traced, true));
    } catch (error) {
      traced.dispose();
      throw error;
    }
  }

  /** Has tfjs make the calls of f. */
  #performAll(shadow: Shadow, value: number, kept: readonly number[], step: Step): TfTensor | null {
    const { engine } = this.#context;
    const { optimizer, backend, minimize, returnCost, variables } = step;
    let outs: TfTensor[] = [];
    const f = (): TfTensor => {
      outs = perform(engine, shadow.made, shadow.sources.outside);
      for (const i of kept) engine.keep(outs[i] as TfTensor);
      return outs[value] as TfTensor;
    };
    const cost = shadow.sources.reviving(() => minimize.call(optimizer, f, returnCost, variables));
    for (const i of kept) {
      const out = outs[i] as TfTensor;
      dataOf(shadow, i).takeFrom(backend.at(out));
      out.dispose();
    }
    return cost;
  }
}

// What every layer is: named parameters, buffers and children, a mode, hooks, and a state that can be saved.

import { insideModule, tracing, wantsModules } from '../execute.ts';
import type { RemovableHandle } from '../functional/hooks.ts';
import { kinds } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { type Arguments, methods } from '../signature.ts';
import type { RequiresGradOptions } from '../takes.ts';
import { Tensor } from '../tensor.ts';
import { type BackwardHook, callHooked, type ForwardHook, type ForwardPreHook, type Hooks } from './hooks.ts';
import type {
  HookOptions,
  LoadOptions,
  NamedOptions,
  NameOptions,
  RecurseOptions,
  TrainOptions,
} from './module-options.ts';
import { checkName, FORGET, ITEMS, lookUp, NAME_OF, PLACES, type Place, placesOf, stateName } from './names.ts';
import { type Buffer, type BufferOptions, type Kind, kindOf, type Parameter } from './parameter.ts';
import { show } from './show.ts';
import { type LoadResult, list, prepareLoad, type StateDict } from './state.ts';
import { below, enter, type Held, heldIn, inFront } from './tree.ts';

const isParameter = (kind: Kind): boolean => kind === 'parameter';
const isPart = (x: object): boolean => x instanceof Tensor || x instanceof Module;
const isBuffer = (kind: Kind): boolean => kind !== 'parameter';

const NONE: readonly never[] = [];
const NO_HOOKS: Hooks = { before: [], after: [], backward: [] };

/**
 * Base class of all layers (PyTorch's `nn.Module`). What stands in its fields takes part: modules, `nn.Parameter`s and
 * `nn.Buffer`s, also those in arrays, plain objects, Maps and Sets there. Other tensors, such as constants, are neither
 * trained nor saved. Private `#fields` and objects of other classes are not looked into.
 *
 * States name a field in camelCase as Python does, `tokenEmbedding` as `token_embedding`; every other name is kept, and
 * so are keys of objects and Maps. All names that modules give are these.
 *
 * `forward` takes and returns whatever the author of a module declares. One that only holds others needs none.
 * @example
 * ```ts
 * class Residual extends nn.Module {
 *   readonly layers = [new nn.Linear(64, 64), new nn.Linear(64, 64)];
 *   readonly scale = new nn.Parameter(ones([64]));
 *   forward(x: Tensor, factor: number) {
 *     const y = this.layers.reduce((h, layer) => layer.forward(h).relu(), x);
 *     return x.add(y.mul(this.scale).mul(factor));
 *   }
 * }
 * const model = new Residual();
 * console.log(Object.keys(model.stateDict())); // scale, layers.0.weight, layers.0.bias, layers.1.weight, …
 * const y = model.forward(randn([8, 64]), 0.5);
 * ```
 */
export abstract class Module {
  #training = true;
  #hooks: Hooks | null = null;
  #wrapper: unknown;
  /** What was registered by name: that counts for whatever is in the field later. */
  readonly #kinds = new Map<string, Kind>();

  constructor() {
    this.#wrap();
  }

  /**
   * Puts a function before the author's forward, which users call: it has hooks called, and traces and profiles know by
   * it whose ops run.
   */
  #wrap(): void {
    const forward = this.#forward ?? this.#missing;
    const run = (args: readonly unknown[]): unknown => forward.apply(this, args as never[]);
    this.#wrapper = (...args: never[]): unknown =>
      this.#hooks === null && !wantsModules() ? forward.apply(this, args) : this.#call(run, args);
    Object.defineProperty(this, 'forward', {
      value: this.#wrapper,
      configurable: true,
      enumerable: false,
      writable: true,
    });
  }

  /** What forward is now. Types of modules have one where their author gave them one: containers have none. */
  get #forward(): (...args: never[]) => unknown {
    return (this as unknown as { forward: (...args: never[]) => unknown }).forward;
  }

  #missing(): never {
    throw new ArgumentError(`${this.constructor.name}: expected a method forward, got none; modules compute in it`);
  }

  #call(run: (args: readonly unknown[]) => unknown, args: readonly unknown[]): unknown {
    const hooks = this.#hooks;
    // A program holds for the hooks it was recorded with.
    tracing()?.guard(() => this.#hooks === hooks);
    return insideModule(this, () => (hooks ? callHooked(this, hooks, args, run) : run(args)));
  }

  /** Whether dropout drops and batch norm uses its batch; set by {@link train} and {@link eval}. */
  get training(): boolean {
    const mode = this.#training;
    // A program holds for the mode it was recorded in.
    tracing()?.guard(() => this.#training === mode);
    return mode;
  }

  /** Sets the mode of this module alone; see {@link train}. */
  set training(mode: boolean) {
    if (typeof mode !== 'boolean')
      throw new ArgumentError(`training: expected true or false, got ${describe(mode)}; call train() or eval()`);
    this.#training = mode;
  }

  /** What counts as fields do, by name. @internal */
  [ITEMS](): Iterable<readonly [string, object]> {
    return NONE;
  }

  /** What a field is called in states. @internal */
  [NAME_OF](field: string): string {
    return stateName(field);
  }

  /** Lets a field be what it will be: it was registered as a parameter or a buffer. @internal */
  [FORGET](field: string): void {
    this.#kinds.delete(field);
  }

  /** All modules and tensors in the fields. @internal */
  [PLACES](): Place[] {
    // A forward that is a field, `forward = (x) => …`, came after the constructor.
    if (this.#forward !== this.#wrapper) this.#wrap();
    return placesOf(this, isPart);
  }

  /** The parameters and buffers at `places`. @throws ArgumentError where it is not clear what they are or are called */
  #held(places: readonly Place[]): Held[] {
    return heldIn(this, places, this.#kinds);
  }

  /** Declares that `field` may hold `value`, and puts it there. */
  #register<T extends object | null>(op: string, field: string, value: T): T {
    checkName(op, field);
    const before = (this as unknown as Record<string, unknown>)[field];
    if (before !== undefined && before !== null && !(Object.hasOwn(this, field) && before instanceof Tensor))
      throw new ArgumentError(`${op}: expected a name that is free, got '${field}'; choose another one`);
    (this as unknown as Record<string, unknown>)[field] = value;
    return value;
  }

  /**
   * Puts a tensor that is saved and not trained into the field `name`, keeps it, and gives it back: `this.mask =
   * this.registerBuffer('mask', ones([4, 4]))`. Whatever tensor is assigned to the field later is a buffer.
   * @throws ArgumentError where the name is taken or no name
   */
  registerBuffer<T extends Tensor | null>(
    ...args: Arguments<[name: string, tensor: T], [persistent: boolean], BufferOptions, ['name', 'tensor']>
  ): T;
  registerBuffer(name: string, tensor: Tensor | null, persistent: boolean): Tensor | null {
    this.#register('registerBuffer', name, tensor);
    this.#kinds.set(name, persistent ? 'buffer' : 'transient');
    tensor?.keep();
    return tensor;
  }

  /**
   * Puts a parameter into the field `name`, and gives it back. A tensor that is no parameter in the field is an error
   * from then on.
   * @throws ArgumentError where the name is taken or no name, or `param` is none
   */
  registerParameter<T extends Parameter | null>(name: string, param: T): T {
    this.#register('registerParameter', name, param);
    this.#kinds.set(name, 'parameter');
    return param;
  }

  /**
   * Puts a module into the field `name`, and gives it back.
   * @throws ArgumentError where the name is taken or no name
   */
  registerModule<T extends Module | null>(name: string, module: T): T {
    return this.#register('registerModule', name, module);
  }

  /** The same as {@link registerModule}. */
  addModule<T extends Module | null>(name: string, module: T): T {
    return this.registerModule(name, module);
  }

  /** The modules in fields, each once, by name. */
  namedChildren(): [string, Module][] {
    const children = new Map<Module, string>();
    for (const { name, value } of this[PLACES]())
      if (value instanceof Module && !children.has(value)) children.set(value, name);
    return Array.from(children, ([module, name]) => [name, module]);
  }

  /** The modules in fields, each once. */
  children(): Module[] {
    return this.namedChildren().map(([, module]) => module);
  }

  /** This module and all below it by path; '' is this one. */
  namedModules(
    ...args: Arguments<[], [memo: null, prefix: string, removeDuplicate: boolean], NameOptions>
  ): [string, Module][];
  namedModules(_: null, prefix: string, removeDuplicate: boolean): [string, Module][] {
    return below(this as Module, removeDuplicate).map(({ path, module }) => [
      path ? inFront(prefix, path) : prefix,
      module,
    ]);
  }

  /** This module and all below it, each once. */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  #named(wanted: (kind: Kind) => boolean, prefix: string, recurse: boolean, once: boolean): [string, Tensor][] {
    const named: [string, Tensor][] = [];
    const seen = new Set<Tensor>();
    const modules = recurse ? below(this as Module, once) : [{ path: '', module: this, places: this[PLACES]() }];
    for (const { path, module, places } of modules)
      for (const { name, value, kind } of module.#held(places)) {
        if (!wanted(kind) || (once && seen.has(value))) continue;
        seen.add(value);
        named.push([inFront(prefix, inFront(path, name)), value]);
      }
    return named;
  }

  /**
   * The parameters by path, such as `0.weight`.
   * @throws ArgumentError where a field has a tensor that requires a gradient and is no parameter, or two have one name
   */
  namedParameters(
    ...args: Arguments<[], [prefix: string, recurse: boolean, removeDuplicate: boolean], NamedOptions>
  ): [string, Parameter][];
  namedParameters(prefix: string, recurse: boolean, removeDuplicate: boolean): [string, Parameter][] {
    return this.#named(isParameter, prefix, recurse, removeDuplicate);
  }

  /** The buffers by path, such as `1.running_mean`; see {@link namedParameters}. */
  namedBuffers(
    ...args: Arguments<[], [prefix: string, recurse: boolean, removeDuplicate: boolean], NamedOptions>
  ): [string, Buffer][];
  namedBuffers(prefix: string, recurse: boolean, removeDuplicate: boolean): [string, Buffer][] {
    return this.#named(isBuffer, prefix, recurse, removeDuplicate);
  }

  /** The parameters, each once, as optimizers take them; see {@link namedParameters}. */
  parameters(...args: Arguments<[], [recurse: boolean], RecurseOptions>): Parameter[];
  parameters(recurse: boolean): Parameter[] {
    return this.namedParameters({ recurse }).map(([, x]) => x);
  }

  /** The buffers, each once; see {@link namedBuffers}. */
  buffers(...args: Arguments<[], [recurse: boolean], RecurseOptions>): Buffer[];
  buffers(recurse: boolean): Buffer[] {
    return this.namedBuffers({ recurse }).map(([, x]) => x);
  }

  /** The module at a path, such as `layers.0`; '' is this one. @throws ArgumentError where there is none */
  getSubmodule(target: string): Module {
    return this.#get('getSubmodule', 'module', this.namedModules({ removeDuplicate: false }), target);
  }

  /** The parameter at a path, such as `layers.0.weight`. @throws ArgumentError where there is none */
  getParameter(target: string): Parameter {
    return this.#get('getParameter', 'parameter', this.#named(isParameter, '', true, false), target);
  }

  /** The buffer at a path, such as `1.running_mean`. @throws ArgumentError where there is none */
  getBuffer(target: string): Buffer {
    return this.#get('getBuffer', 'buffer', this.#named(isBuffer, '', true, false), target);
  }

  #get<T>(op: string, what: string, named: readonly [string, T][], target: string): T {
    const found = lookUp(named, target);
    if (found === undefined)
      throw new ArgumentError(
        `${op}: expected the path of a ${what}, got ${describe(target)}; there are ${list(named.map(([path]) => `'${path}'`)) || 'none'}`,
      );
    return found;
  }

  /** Calls `fn` with every module below and then with this one, such as to initialise them. Returns itself. */
  apply(fn: (module: Module) => void): this {
    // Read backwards, parents and the last children come last.
    for (const { module } of below(this as Module, true, true).reverse()) fn(module);
    return this;
  }

  /** Sets training mode, or with `false` evaluation mode, here and below. Returns itself. */
  train(...args: Arguments<[], [mode: boolean], TrainOptions>): this;
  train(mode: boolean): this {
    // By the train() of each child, which its author may have changed, such as to keep some in evaluation.
    enter(this, () => {
      this.training = mode;
      for (const { value } of this[PLACES]()) if (value instanceof Module) value.train(mode);
    });
    return this;
  }

  /** Sets evaluation mode here and below. Returns itself. */
  eval(): this {
    return this.train(false);
  }

  /** Lets go of all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.clearGrad();
  }

  /** Turns gradients of all parameters on or off (freezing). Returns itself. */
  requiresGrad_(...args: Arguments<[], [requiresGrad: boolean], RequiresGradOptions>): this;
  requiresGrad_(requiresGrad: boolean): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(requiresGrad);
    return this;
  }

  #hook<K extends keyof Hooks>(kind: K, hook: Hooks[K][number], prepend: boolean): RemovableHandle {
    if (this.#forward !== this.#wrapper) this.#wrap();
    // One of its own for each time that a function is registered.
    const own = ((...args: never[]): unknown => (hook as (...args: never[]) => unknown)(...args)) as never;
    const change = (next: (hooks: readonly unknown[]) => readonly unknown[]): void => {
      const hooks = { ...(this.#hooks ?? NO_HOOKS) };
      hooks[kind] = next(hooks[kind]) as Hooks[K];
      this.#hooks = Object.values(hooks).some(({ length }) => length > 0) ? hooks : null;
    };
    change((hooks) => (prepend ? [own, ...hooks] : [...hooks, own]));
    return { remove: () => change((hooks) => hooks.filter((other) => other !== own)) };
  }

  /**
   * Has `hook` called before forward, with the module and the arguments; what it returns, if anything, takes their
   * place. Inside compile() hooks are traced with the function, once.
   */
  registerForwardPreHook(hook: ForwardPreHook<this>, options?: HookOptions): RemovableHandle;
  registerForwardPreHook(hook: unknown, prepend: unknown): RemovableHandle {
    return this.#hook('before', hook as ForwardPreHook, prepend as boolean);
  }

  /**
   * Has `hook` called after forward, with the module, the arguments and the result; what it returns, if anything, takes
   * the result's place.
   */
  registerForwardHook(hook: ForwardHook<this>, options?: HookOptions): RemovableHandle;
  registerForwardHook(hook: unknown, prepend: unknown): RemovableHandle {
    return this.#hook('after', hook as ForwardHook, prepend as boolean);
  }

  /**
   * Has `hook` called by backward, with the module and the gradients of the arguments and of the results of forward;
   * what it returns, if anything, takes the place of the former.
   */
  registerFullBackwardHook(
    ...args: Arguments<[hook: BackwardHook<this>], [prepend: boolean], HookOptions>
  ): RemovableHandle;
  registerFullBackwardHook(hook: BackwardHook, prepend: boolean): RemovableHandle {
    return this.#hook('backward', hook, prepend);
  }

  /**
   * The parameters and persistent buffers themselves (not copies) under PyTorch's keys, such as `0.weight` and
   * `1.running_mean`. One in two places is there twice, as in PyTorch.
   * @throws ArgumentError as {@link namedParameters}
   */
  stateDict(): Record<string, Tensor> {
    const state: Record<string, Tensor> = {};
    for (const { path, module, places } of below(this as Module, false)) {
      const held = module.#held(places);
      for (const wanted of ['parameter', 'buffer'])
        for (const { name, value, kind } of held) if (kind === wanted) state[inFront(path, name)] = value;
    }
    return state;
  }

  /**
   * Copies saved values into the tensors of this module. Keys may be in camelCase where the module's are in snake_case,
   * and the other way round, as long as it is clear which is meant. All is checked before anything is written.
   * @returns the keys that were skipped
   * @throws ArgumentError for keys, ShapeError for shapes that differ
   */
  loadStateDict(...args: Arguments<[stateDict: StateDict], [strict: boolean], LoadOptions>): LoadResult;
  loadStateDict(stateDict: StateDict, strict: boolean): LoadResult {
    return this.prepareStateDict(stateDict, { strict })();
  }

  /** The checks of loadStateDict(); what it returns does the copying and cannot fail. @internal */
  prepareStateDict(state: StateDict, { strict = true }: LoadOptions = {}): () => LoadResult {
    return prepareLoad(this.stateDict(), state, strict);
  }

  /** What stands between the brackets in toString(); authors of modules may say it. */
  extraRepr(): string {
    return '';
  }

  /** The layers with their settings, one a line, and how many parameters they have. */
  toString(): string {
    return show(this, (module) =>
      (module as Module)[PLACES]().map(({ name, field, value }) => ({
        name,
        value,
        kind: value instanceof Tensor ? (kindOf(value) ?? (module as Module).#kinds.get(field)) : undefined,
      })),
    );
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** Gives back the memory of all parameters and buffers. */
  dispose(): void {
    for (const x of [...this.parameters(), ...this.buffers()]) x.dispose();
  }

  static {
    kinds.Module = [(x) => x instanceof Module, 'a module', 'modules'];
    methods(
      Module,
      'Module',
      'registerBuffer(name: string, tensor: Tensor|null, persistent: bool = true)',
      'registerParameter(name: string, param: Parameter|null)',
      'registerModule(name: string, module: Module|null)',
      'addModule(name: string, module: Module|null)',
      'namedChildren()',
      'children()',
      "namedModules(-memo: any = null, prefix: string = '', removeDuplicate: bool = true)",
      'modules()',
      "namedParameters(prefix: string = '', recurse: bool = true, removeDuplicate: bool = true)",
      "namedBuffers(prefix: string = '', recurse: bool = true, removeDuplicate: bool = true)",
      'parameters(recurse: bool = true)',
      'buffers(recurse: bool = true)',
      'getSubmodule(target: string)',
      'getParameter(target: string)',
      'getBuffer(target: string)',
      'apply(fn: function)',
      'train(mode: bool = true)',
      'eval()',
      'zeroGrad(-setToNone: bool = true)',
      'requiresGrad_(requiresGrad: bool = true)',
      'registerForwardPreHook(hook: function, *, prepend: bool = false)',
      'registerForwardHook(hook: function, *, prepend: bool = false)',
      'registerFullBackwardHook(hook: function, prepend: bool = false)',
      'stateDict()',
      'loadStateDict(stateDict: object, strict: bool = true, -assign: bool = false)',
      'dispose()',
    );
  }
}

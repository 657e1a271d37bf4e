// What this backend knows of TensorFlow.js, which it never imports: the engine and the registry of kernels that tfjs
// keeps on globalThis, one for all copies of it that are loaded.

import type { Kernels } from '../kernels/table.ts';

/** Element types of TensorFlow.js. */
export type TfDtype = 'float32' | 'int32' | 'bool' | 'complex64' | 'string';

/** What kernels take and give: data under a shape. The id is ours, or that of another backend which has it still. */
export interface Info {
  readonly dataId: object;
  readonly shape: readonly number[];
  readonly dtype: TfDtype;
}

/** What a tensor may be written from. */
export type Values = ArrayLike<number | boolean> | readonly Uint8Array[] | readonly string[];

/** What the engine asks of a backend. */
export interface TfBackend {
  readonly kernels: Kernels;
  move(id: object, values: Values, shape: readonly number[], dtype: TfDtype, refCount: number): void;
}

/** A kernel of a backend, by its name. */
export interface KernelConfig {
  readonly kernelName: string;
  readonly backendName: string;
  readonly kernelFunc: KernelFunc;
  readonly setupFunc?: (backend: object) => void;
}
export type KernelFunc = (call: {
  readonly inputs: object;
  readonly attrs?: unknown;
  readonly backend: object;
}) => unknown;

/** A table of tfjs's engine, by ids of data. */
export interface Table {
  has(id: object): boolean;
  get(id: object): unknown;
  set(id: object, info: object): unknown;
  delete(id: object): boolean;
}

/** What computes a kernel: a row of the table. */
export interface Runs {
  run(backend: object, inputs: object, attrs: unknown): Info | Info[];
}

/** Methods of the cpu backend that its kernels call on ours, and that make tensors of tfjs: they need classes of it. */
export interface CpuBackend {
  bufferSync(this: object, info: Info): unknown;
  makeOutput(this: object, values: Values, shape: readonly number[], dtype: TfDtype): unknown;
}

/** The part of tfjs's engine that is used here. */
export interface Engine {
  readonly state: { readonly profiling: boolean; readonly gradientDepth: number; tensorInfo: Table };
  registerBackend(name: string, factory: () => unknown, priority: number): boolean;
  findBackendFactory(name: string): unknown;
  findBackend(name: string): object | null;
  /** Moves data from the backend that has it, by disposeData() there and move() here. */
  moveData(backend: object, id: object): void;
  makeTensorFromTensorInfo(info: Info, backend?: object): object;
}

/** The name of the backend. */
export const NAME = 'retrograd';

/** Where tfjs keeps its engine, and its registries. */
const ENGINE = '_tfengine';
const GLOBALS = '_tfGlobals';

const globals = globalThis as Record<string, unknown>;

/** The kernels of all backends by `backend_name`. */
export function registry(): Map<string, KernelConfig> {
  globals[GLOBALS] ??= new Map();
  const all = globals[GLOBALS] as Map<string, unknown>;
  if (!all.has('kernelRegistry')) all.set('kernelRegistry', new Map());
  return all.get('kernelRegistry') as Map<string, KernelConfig>;
}

/** The engine of tfjs, where that is loaded. */
export const engineNow = (): Engine | undefined => globals[ENGINE] as Engine | undefined;

/** Calls `attach` with the engine of tfjs: now, or when tfjs is loaded, which puts its engine on globalThis. */
export function whenLoaded(attach: (engine: Engine) => void): void {
  const engine = engineNow();
  if (engine) {
    attach(engine);
    return;
  }
  const waiting = Object.getOwnPropertyDescriptor(globals, ENGINE)?.get as (() => undefined) | undefined;
  if (waiting) return; // asked for already
  Object.defineProperty(globals, ENGINE, {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set(value: Engine) {
      Object.defineProperty(globals, ENGINE, { value, configurable: true, enumerable: true, writable: true });
      if (value) attach(value);
    },
  });
}

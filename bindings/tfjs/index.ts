// retrograd as a backend of TensorFlow.js: to import this is to register it. It imports nothing of tfjs, and may be
// imported before it or after it.
import { init, isRunning } from '../engine/engine.ts';
import { type InitOptions, parseOptions } from '../engine/options.ts';
import { BackendError, named } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import { Backend } from './backend.ts';
import { isTensorFlow, moduleKind } from './declare.ts';
import { type Engine, NAME, whenLoaded } from './engine.ts';
import { link } from './link.ts';

export type { CompiledModule, Locate, Located, ResponseLike, Simd, UrlLike } from '../engine/builds.ts';
export type { Tile } from '../engine/tile.ts';
export { type AccelerateOptions, type AccelerateStats, type Acceleration, accelerate } from './accelerate/index.ts';
export { fromTensorFlow, type TensorFlowTensor, toTensorFlow } from './tensors.ts';
export {
  type LayerPaths,
  type LayersModelLike,
  loadWeights,
  type ModelFile,
  type ModelFiles,
  type Quantization,
  readModelFiles,
  saveWeights,
  type WeightOptions,
  type WeightSpec,
  writeModelFiles,
} from './weights/index.ts';
export type { InitOptions };

/** Above those of tfjs's wasm and cpu backends. */
const PRIORITY = 3;

let options: InitOptions = {};

/** The backend at once where the runtime is up, else a promise of it. */
const start = (engine: Engine): Backend | Promise<Backend> =>
  isRunning() ? new Backend(engine) : init(options).then(() => new Backend(engine));

function attach(engine: Engine): void {
  link();
  if (!engine.findBackendFactory(NAME)) engine.registerBackend(NAME, () => start(engine), PRIORITY);
}

const ofRegister = signature('register(tf?: TensorFlow)', moduleKind);

/** What is used of TensorFlow.js where it is given: the module, such as `import * as tf from '@tensorflow/tfjs'`. */
export interface TensorFlow {
  /** The engine that all copies of tfjs share. */
  engine(): object;
}

/**
 * Registers the backend `'retrograd'` with TensorFlow.js; to import the module has done so already. It is for programs
 * that have removed it, and for those that load tfjs in a realm of its own.
 * @param tf TensorFlow.js; by default what is loaded, or will be
 * @throws ArgumentError for anything else
 */
export function register(tf?: TensorFlow): void;
export function register(...args: unknown[]): void {
  // The module is an object too, and before one of options is none.
  const [tf] = ofRegister.parse(args.length === 1 && isTensorFlow(args[0]) ? [...args, {}] : args) as [TensorFlow?];
  if (tf) attach(tf.engine() as Engine);
  else whenLoaded(attach);
}
ofRegister.fn = register;

/**
 * How the runtime is started when the backend is set for the first time: the options of `init()`.
 * @throws BackendError where it has started already; ArgumentError for an option that there is not, or out of range
 */
export function configure(next: InitOptions): void {
  if (isRunning())
    throw new BackendError(
      'configure: expected to be called before the backend starts, got a running one; call it before tf.setBackend()',
    );
  try {
    parseOptions([next]);
  } catch (error) {
    throw named(error, 'configure');
  }
  options = next;
}

register();

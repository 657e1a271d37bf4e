// TensorFlow.js' WebAssembly backend (XNNPACK), on one thread.
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { env, version_core } from '@tensorflow/tfjs-core';
import type { Side } from '../problems.ts';
import { tfjsSide } from './tfjs.ts';

export async function load(): Promise<Side> {
  // In Node the package finds its files; a page has them where serve.ts puts them.
  if (typeof document !== 'undefined') setWasmPaths('/peers/tfjs-wasm/');
  setThreadsCount(1);
  // Asked before the backend starts, or a page that is isolated would get the threaded build.
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  return tfjsSide('wasm', `TensorFlow.js ${version_core}, SIMD, 1 thread`);
}

// Puts kernels into tfjs's registry: ours where a row fits the call, else those of the cpu backend over the same data.
import { addKernels } from '../kernels/table.ts';
import type { Backend } from './backend.ts';
import { type Info, type KernelConfig, type KernelFunc, NAME, registry } from './engine.ts';
import { families, otherRows } from './kernels/table.ts';
import type { Row } from './row.ts';

/** Is told of each call: the kernel's name, and whether ours computes it. For tests and benchmarks. */
export type Listener = (kernel: string, own: boolean) => void;
let listener: Listener | null = null;
/** @internal */
export function listen(next: Listener | null): void {
  listener = next;
}

/** Calls the cpu backend's kernel. @throws Error where there is none */
function callCpu(name: string, call: Parameters<KernelFunc>[0]): unknown {
  const config = registry().get(`cpu_${name}`);
  if (!config)
    throw new Error(
      `${name}: expected inputs that a kernel of retrograd takes, got others; import '@tensorflow/tfjs-backend-cpu' for those`,
    );
  const backend = call.backend as Backend;
  backend.tracer?.refuse(`calls ${name} for inputs that only the cpu backend takes`);
  // Its looks at memory must not move.
  for (const x of Object.values(call.inputs) as (Partial<Info> | null)[])
    if (x?.dataId) backend.settle(backend.of(x.dataId));
  backend.foreign++;
  try {
    return config.kernelFunc(call);
  } finally {
    backend.foreign--;
  }
}

const NONE = {};

const kernelOf =
  (name: string, row: Row | null): KernelFunc =>
  (call) => {
    const { inputs } = call;
    const attrs = call.attrs ?? NONE;
    const backend = call.backend as Backend;
    let own = row;
    if (row && !row.fits(backend, inputs, attrs))
      own = otherRows[name]?.find((other) => other.fits(backend, inputs, attrs)) ?? null;
    listener?.(name, own !== null);
    return own ? backend.run(own, inputs, attrs) : callCpu(name, call);
  };

const config = (kernelName: string, row: Row | null): KernelConfig => ({
  kernelName,
  backendName: NAME,
  kernelFunc: kernelOf(kernelName, row),
});

/** Registers kernels that only the cpu backend has, those that were loaded meanwhile included. */
export function linkCpu(): void {
  const all = registry();
  for (const key of [...all.keys()]) {
    const [backend, name] = [key.slice(0, key.indexOf('_')), key.slice(key.indexOf('_') + 1)];
    if (backend === 'cpu' && !all.has(`${NAME}_${name}`)) all.set(`${NAME}_${name}`, config(name, null));
  }
}

/** Registers all kernels of ours. */
export function link(): void {
  const all = registry();
  for (const { kernels, rows } of families) {
    for (const family of kernels) addKernels(family);
    for (const [name, row] of Object.entries(rows))
      if (!all.has(`${NAME}_${name}`)) all.set(`${NAME}_${name}`, config(name, row));
  }
  // tfjs calls it each time that the backend is set.
  const identity = all.get(`${NAME}_Identity`) as KernelConfig;
  all.set(`${NAME}_Identity`, { ...identity, setupFunc: linkCpu });
  linkCpu();
}

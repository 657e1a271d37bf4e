// The raw exports of a build over a memory of their own, with a bump allocator: kernels without the library around
// them.

export type BuildName = 'strict' | 'relaxed';
export type Export = (...args: number[]) => number;

/** Bytes of a file, in Node and in a page alike. */
async function read(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises');
    return new Uint8Array(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`bench: expected ${url}, got HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** What a build imports. */
const imports = (memory: WebAssembly.Memory): WebAssembly.Imports => ({
  env: {
    memory,
    made: () => 0,
    abort: () => {
      throw new Error('kernel aborted');
    },
  },
});

const PAGE = 65536;

export class RawKernels {
  readonly build: BuildName;
  readonly memory = new WebAssembly.Memory({ initial: 512, maximum: 65536 });
  readonly exports: Readonly<Record<string, Export>>;
  #top: number;

  /**
   * @param named gives exports other names @throws WebAssembly.CompileError for 'relaxed' where the engine lacks it,
   *   which init() turns on in Node 20
   */
  constructor(build: BuildName, module: WebAssembly.Module, named = (exports: Record<string, Export>) => exports) {
    this.build = build;
    const instance = new WebAssembly.Instance(module, imports(this.memory));
    this.exports = named(instance.exports as unknown as Record<string, Export>);
    this.exports._initialize?.();
    this.#top = Number(this.exports.heap_base?.());
  }

  /** @param folder where the wasm files are */
  static async load(build: BuildName, folder: URL): Promise<RawKernels> {
    return new RawKernels(build, await WebAssembly.compile(await read(new URL(`retrograd.${build}.wasm`, folder))));
  }

  /** The export `name`. @throws Error where the build lacks it */
  kernel(name: string): Export {
    const found = this.exports[name];
    if (!found) throw new Error(`bench: expected a kernel ${name}, got none; run npm run build`);
    return found;
  }

  /** The address of `bytes` fresh bytes, a multiple of 64. */
  allocate(bytes: number): number {
    const start = (this.#top + 63) & ~63;
    this.#top = start + bytes;
    const missing = this.#top - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    return start;
  }

  /** A fresh copy of `values`, or so many zeros. */
  f32(values: ArrayLike<number> | number): number {
    const n = typeof values === 'number' ? values : values.length;
    const at = this.allocate(n * 4);
    const view = this.view(at, n);
    if (typeof values === 'number') view.fill(0);
    else view.set(values);
    return at;
  }

  view(at: number, n: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, n);
  }

  /** What it returns gives back all that was allocated after this call. */
  mark(): () => void {
    const top = this.#top;
    return () => {
      this.#top = Math.min(this.#top, top);
    };
  }
}

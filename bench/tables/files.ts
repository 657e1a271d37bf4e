// npm run bench -- files: a file of weights to the parameters of a model, beside reading the file alone; and the memory
// that it takes, each in a process of its own.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backend, init, nn, shutdown, type Tensor } from 'retrograd';
import * as io from 'retrograd/io';
import { formatSeconds } from '../harness/report.ts';

/** Layers of [WIDTH, WIDTH], 4 MB each. */
const WIDTH = 1024;
const network = (layers: number): nn.Sequential =>
  new nn.Sequential(...Array.from({ length: layers }, () => new nn.Linear(WIDTH, WIDTH)));

interface Format {
  readonly name: string;
  readonly file: string;
  readonly save: (path: string, model: nn.Module) => Promise<void>;
  readonly load: (path: string, model: nn.Module) => Promise<void>;
}

const FORMATS: readonly Format[] = [
  {
    name: 'safetensors',
    file: 'model.safetensors',
    save: (path, model) => io.saveSafetensors(path, model.stateDict()),
    load: async (path, model) => void model.loadStateDict(await io.loadSafetensors(path)),
  },
  {
    name: 'safetensors, tensor by tensor',
    file: 'model.safetensors',
    save: (path, model) => io.saveSafetensors(path, model.stateDict()),
    async load(path, model) {
      const opened = await io.openSafetensors(path);
      for (const name of opened.keys())
        model.loadStateDict({ [name]: await opened.getTensor(name) }, { strict: false });
      await opened.close();
    },
  },
  {
    name: 'safetensors of bf16',
    file: 'half.safetensors',
    save: (path, model) => io.saveSafetensors(path, io.castTensors(model.stateDict(), 'bf16')),
    load: async (path, model) => void model.loadStateDict(await io.loadSafetensors(path)),
  },
  {
    name: 'PyTorch',
    file: 'model.pt',
    save: (path, model) => io.savePyTorch(path, model.stateDict()),
    load: async (path, model) => void model.loadStateDict(await io.loadPyTorch(path)),
  },
  {
    name: 'npz',
    file: 'model.npz',
    save: (path, model) => io.saveNpz(path, model.stateDict()),
    load: async (path, model) => void model.loadStateDict(await io.loadNpz(path)),
  },
];

const sumOf = (model: nn.Module): number => (model.parameters()[0] as Tensor).sum().item();

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

/** Bytes that a load adds to a process at its peak, which has the model. */
function peakOf(name: string, path: string, layers: number): number {
  const out = execFileSync(process.execPath, [fileURLToPath(import.meta.url), name, path, String(layers)], {
    encoding: 'utf8',
  });
  return Number(out.trim().split('\n').at(-1));
}

/** What that process does. */
async function measure(name: string, path: string, layers: number): Promise<void> {
  await init({ threads: 1 });
  const model = network(layers);
  const before = process.memoryUsage.rss();
  await FORMATS.find((each) => each.name === name)?.load(path, model);
  console.log(process.resourceUsage().maxRSS * 1024 - before);
  await shutdown();
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

async function rowOf(format: Format, folder: string, layers: number, rounds: number): Promise<string> {
  const { name, file, save, load } = format;
  const path = join(folder, file);
  const model = network(layers);
  await save(path, model);
  const expected = sumOf(model);
  nn.init.zeros_(model.parameters()[0] as Tensor);
  await load(path, model);
  if (!(Math.abs(sumOf(model) - expected) <= 1e-2 * Math.abs(expected) + 1))
    throw new Error(`${name}: expected the weights that were saved, got others`);
  let [read, loaded] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++) {
    read = Math.min(read, await seconds(() => readFile(path)));
    loaded = Math.min(loaded, await seconds(() => load(path, model)));
  }
  model.dispose();
  const { size } = await stat(path);
  const cells = [name, megabytes(size), formatSeconds(read), formatSeconds(loaded), `${(loaded / read).toFixed(2)} ×`];
  return `| ${[...cells, megabytes(peakOf(name, path, layers))].join(' | ')} |`;
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  await init({ simd, threads: 1 });
  const layers = quick ? 1 : 25;
  const folder = await mkdtemp(join(tmpdir(), 'retrograd-files-'));
  const rows: string[] = [];
  try {
    for (const format of FORMATS) rows.push(await rowOf(format, folder, layers, quick ? 1 : 25));
  } finally {
    await rm(folder, { recursive: true });
  }
  const head = ['format', 'file', 'reading it', 'to parameters', '', 'peak beside the model'];
  return [
    `Files of weights, ${backend().engine}`,
    '',
    `| ${head.join(' | ')} |`,
    `|${' --- |'.repeat(head.length)}`,
    ...rows,
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = '', path = '', layers = ''] = process.argv.slice(2);
  await measure(name, path, Number(layers));
}

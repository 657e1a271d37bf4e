// The speed of gemm_f32 on one core, beside the limit of registers-only multiply-adds measured in the same run.
//   node bench/gemm-kernel.mjs [--sizes=64,128] [--tiles=0,1] [--rounds=60] [--revectorize]
// Every kernel runs a little in turn, round after round, and the best of each counts: other work on the machine slows a
// round, never the best. Reads build/wasm.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import v8 from 'node:v8';

const TILES = ['4x8', '6x8', '4x16', '6x16'];
const LAYOUTS = ['NN', 'NT', 'TN'];
const WORKSPACE = 1 << 20;
/** Multiply-adds in one sample: about a twentieth of a millisecond, short enough to fit between other people's work. */
const SAMPLE = 1e6;

function option(name, fallback) {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  return given
    ? given
        .slice(name.length + 3)
        .split(',')
        .map(Number)
    : fallback;
}

const sizes = option('sizes', [16, 32, 64, 127, 128, 256, 509, 512, 1024]);
const tiles = option('tiles', [0, 1, 2, 3]);
const [rounds] = option('rounds', [60]);

// Node 20 has relaxed SIMD only behind a flag; later engines have dropped the flag.
if (Number(process.versions.node.split('.')[0]) < 22) v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
if (process.argv.includes('--revectorize')) v8.setFlagsFromString('--experimental-wasm-revectorize');

function instantiate(build) {
  const bytes = readFileSync(new URL(`../build/wasm/retrograd.${build}.wasm`, import.meta.url));
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, abort() {} } });
  exports._initialize();
  return { memory, kernels: exports };
}

/** Three matrices of n by n behind the workspace, A and B filled. */
function matrices({ memory, kernels }, n) {
  const bytes = (n * n * 4 + 4095) & ~4095;
  const a = WORKSPACE + ((kernels.gemm_workspace_bytes() + 4095) & ~4095);
  const needed = a + 3 * bytes - memory.buffer.byteLength;
  if (needed > 0) memory.grow(Math.ceil(needed / 65536));
  const values = new Float32Array(memory.buffer, a, (2 * bytes) / 4);
  for (let i = 0; i < values.length; i++) values[i] = ((i * 7919) % 2001) / 1000 - 1;
  return { a, b: a + bytes, c: a + 2 * bytes };
}

/** GFLOP/s of one sample: `repeat` runs of `flops` operations each, after one that fills the caches. */
function sample(run, flops, repeat) {
  run();
  const start = performance.now();
  for (let i = 0; i < repeat; i++) run();
  return (repeat * flops) / (performance.now() - start) / 1e6;
}

function measure(build) {
  const instance = instantiate(build);
  const { kernels } = instance;
  const { a, b, c } = matrices(instance, Math.max(...sizes));
  const best = new Map();
  const note = (key, value) => best.set(key, Math.max(best.get(key) ?? 0, value));
  for (let round = 0; round < rounds; round++) {
    for (const tile of tiles) {
      kernels.gemm_set_tile(tile);
      for (const n of sizes) {
        // Large products take longer than all the rest together, and vary less.
        if (n > 300 && round % 6 > 0) continue;
        note(
          'limit',
          sample(() => kernels.madd_limit_f32(5000), 96 * 5000, 1),
        );
        for (const layout of LAYOUTS) {
          const [ars, acs] = layout[0] === 'N' ? [n, 1] : [1, n];
          const [brs, bcs] = layout[1] === 'N' ? [n, 1] : [1, n];
          const run = () => kernels.gemm_f32(c, a, b, 0, n, n, n, ars, acs, brs, bcs, n, 0, 0, WORKSPACE, 0);
          note(`${tile} ${layout} ${n}`, sample(run, 2 * n ** 3, Math.max(1, Math.round(SAMPLE / n ** 3))));
        }
      }
    }
  }
  return best;
}

for (const build of ['strict', 'relaxed']) {
  const best = measure(build);
  const limit = best.get('limit');
  const flags = process.argv.includes('--revectorize') ? ', revectorized' : '';
  console.log(
    `\n${build}, Node ${process.versions.node}${flags}: limit ${limit.toFixed(1)} GFLOP/s; square products, GFLOP/s (% of the limit)\n`,
  );
  console.log(`| tile | layout | ${sizes.join(' | ')} |`);
  console.log(`| --- | --- | ${sizes.map(() => '---').join(' | ')} |`);
  for (const tile of tiles) {
    for (const layout of LAYOUTS) {
      const cells = sizes.map((n) => {
        const speed = best.get(`${tile} ${layout} ${n}`);
        return `${speed.toFixed(1)} (${Math.round((100 * speed) / limit)})`;
      });
      console.log(`| ${TILES[tile] ?? tile} | ${layout} | ${cells.join(' | ')} |`);
    }
  }
}

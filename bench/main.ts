// npm run bench [-- gemm|conv|ops|train …] [--peers] [--quick] [--json FILE]; --help lists the rest.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import type { Outcome } from './harness/cases.ts';
import { formatHtml } from './harness/charts.ts';
import { formatEngines } from './harness/engines.ts';
import { formatMarkdown, formatReport, formatSeconds, formatShare, type Report } from './harness/report.ts';
import { FAMILIES, type FamilyName, type Peers, run, VERSION_FAMILIES } from './harness/run.ts';
import { formatVersions } from './harness/versions.ts';
import { loadInstance } from './sides/instance.ts';

const HELP = `npm run bench -- [FAMILY …] [options]
  FAMILY            ${FAMILIES.join(', ')}; all without one; or, alone, one of
                    compile   what compile() saves: calls, memory, passes over memory
                    threads   how large kernels and training steps scale with threads
                    shares    what of steps two threads share, command by command, on one thread
                    doctor    what retrograd/doctor finds in programs with known faults, and in healthy ones
                    trainer   what a Trainer costs beside the loop that one writes by hand
                    metrics   figures of a million predictions, by hand and by scikit-learn (PYTHON=…)
                    explain   what explanations cost beside the passes that they are made of
                    csv       a file of separated values, by the library and by parsers alone
                    tfjs      models of TensorFlow.js on our backend and on its own
                    pipelines rows a second through data's stages and from Parquet, and steps over batches of a worker
                    files     files of weights to parameters, and the memory that it takes
                    wide      vectors of 256 bits (Node 24 and later): steps and kernels beside the plain build, and JAX
                    start     from nothing to the first training step, in Node and in a page
                    energy    instructions of a training step, counted by perf or by valgrind
                    distributed  all-reduce and training by two ranks of MPI, beside a program in C and one rank
                    hosts     the same on network namespaces as hosts, and what more hosts are predicted to take
                    onnx      networks of others: import, inference and training, and ONNX Runtime Web
  --against FOLDER  also another build of the library, and how much slower or faster this one is;
                    FOLDER has its lib/ and wasm/. With families, compile and threads
  --peers           also the other libraries
  --peer NAME       one of them; may be repeated
  --quick           checks every answer and times almost nothing
  --filter TEXT     only cases whose name contains TEXT
  --rounds N        samples of each side
  --simd BUILD      strict or relaxed; the best by default
  --threads N       threads of our side; 1 by default
  --tiles           the GEMM kernel in each of its register tiles
  --revectorize     lets V8 widen vectors to 256 bits, where it can (Node 24)
  --megabytes N     size of the file of csv; 100 by default
  --json FILE       writes the report as data
  --html FILE       writes the charts there, not to bench/report.html; '' for nowhere
  --beside FILE     reports of several engines as one table; repeated, alone or with --readme
  --readme          puts the table into bench/README.md`;

/** These files are in build/bench/ when they run. */
const folder = fileURLToPath(new URL('../../bench/', import.meta.url));
const build = new URL('../', import.meta.url);

const PEERS: Peers = {
  plain: () => import('./peers/plain.ts'),
  'tfjs-cpu': () => import('./peers/tfjs-cpu.ts'),
  'tfjs-wasm': () => import('./peers/tfjs-wasm.ts'),
  onnx: () => import('./peers/onnx.ts'),
  'jax-js': () => import('./peers/jax.ts'),
  pytorch: () => import('./peers/pytorch.ts'),
};

interface Table {
  /** @param megabytes what --megabytes says, for those that read a file */
  table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean, megabytes?: number): Promise<string>;
}

/** What is no race against others: tables of its own. */
const TABLES = {
  csv: () => import('./tables/csv.ts'),
  compile: () => import('./tables/compiled-steps.ts'),
  threads: () => import('./tables/thread-scaling.ts'),
  shares: () => import('./tables/thread-shares.ts'),
  tfjs: () => import('./tables/tensorflow.ts'),
  pipelines: () => import('./tables/pipelines.ts'),
  files: () => import('./tables/files.ts'),
  onnx: () => import('./tables/onnx.ts'),
  doctor: () => import('./doctor/table.ts'),
  trainer: () => import('./tables/trainer.ts'),
  metrics: () => import('./tables/metrics.ts'),
  explain: () => import('./tables/explain.ts'),
  wide: () => import('./tables/wide.ts'),
  start: () => import('./tables/start.ts'),
  energy: () => import('./tables/energy.ts'),
  hosts: () => import('./tables/hosts.ts'),
  distributed: () => import('./tables/distributed.ts'),
};

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      peers: { type: 'boolean', default: false },
      peer: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      filter: { type: 'string' },
      rounds: { type: 'string' },
      megabytes: { type: 'string' },
      against: { type: 'string' },
      simd: { type: 'string', default: 'auto' },
      threads: { type: 'string', default: '1' },
      tiles: { type: 'boolean', default: false },
      revectorize: { type: 'boolean', default: false },
      json: { type: 'string' },
      beside: { type: 'string', multiple: true, default: [] },
      html: { type: 'string' },
      readme: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const expect = (kind: string, names: readonly string[], known: readonly string[]): void => {
    for (const name of names)
      if (!known.includes(name))
        throw new Error(`bench: expected ${kind} to be one of ${known.join(', ')}, got ${name}`);
  };
  const against = values.against !== undefined;
  const table = positionals.find((name): name is keyof typeof TABLES => name in TABLES && !against);
  const families = against ? [...FAMILIES, ...VERSION_FAMILIES] : FAMILIES;
  expect(
    against ? 'FAMILY with --against' : 'FAMILY',
    positionals,
    table && positionals.length === 1 ? [table] : families,
  );
  expect('--peer', values.peer, Object.keys(PEERS));
  expect('--simd', [values.simd], ['auto', 'strict', 'relaxed']);
  if (against && (values.peers || values.peer.length > 0))
    throw new Error('bench: expected --against or peers, got both; run them one after the other');
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1))
    throw new Error(`bench: expected --rounds to be a whole number from 1, got ${values.rounds}`);
  return {
    ...values,
    rounds,
    table,
    families: (positionals.length > 0 ? positionals : FAMILIES) as readonly FamilyName[],
  };
}

function machine(): string {
  const all = cpus();
  const model = all[0]?.model.trim().replace(/\s+/g, ' ') || process.arch;
  return `${model}, ${all.length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release().split('-')[0]}`;
}

/** One line a case while the run goes on. */
function progress(family: string, name: string, { rows, wrong }: Outcome): void {
  const [first] = rows;
  const best = first ? `${formatSeconds(first.seconds.best)}  ${formatShare(first.share)}` : '';
  console.error(`${family}  ${name}  ${wrong.length > 0 ? 'WRONG' : best}`);
}

/** Puts the table between the two marks of README.md. */
function updateReadme(table: string, mark: 'table' | 'engines' = 'table'): void {
  const file = `${folder}README.md`;
  const text = readFileSync(file, 'utf8');
  const marks = new RegExp(`(<!-- ${mark} -->\\n)[\\s\\S]*(<!-- /${mark} -->)`);
  if (!marks.test(text)) throw new Error(`bench: expected <!-- ${mark} --> and <!-- /${mark} --> in ${file}, got none`);
  writeFileSync(
    file,
    text.replace(marks, (_, open, close) => `${open}\n${table}\n\n${close}`),
  );
}

async function main(): Promise<void> {
  const options = parse();
  if (options.help) {
    console.log(HELP);
    return;
  }
  if (options.beside.length > 0) {
    const reports = options.beside.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report);
    const table = formatEngines(reports, Object.keys(PEERS));
    console.log(table);
    if (options.readme) updateReadme(table, 'engines');
    return;
  }
  if (options.table) {
    const { table }: Table = await TABLES[options.table]();
    const megabytes = options.megabytes === undefined ? undefined : Number(options.megabytes);
    console.log(await table(options.simd as 'auto' | 'strict' | 'relaxed', options.quick, megabytes));
    return;
  }
  // Before anything is compiled.
  if (options.revectorize) setFlagsFromString('--experimental-wasm-revectorize');
  const { against } = options;
  const chosen = options.peers ? Object.keys(PEERS) : options.peer;
  const report = await run({
    families: options.families,
    peers: Object.fromEntries(Object.entries(PEERS).filter(([name]) => chosen.includes(name))),
    quick: options.quick,
    simd: options.simd as 'auto' | 'strict' | 'relaxed',
    threads: options.threads === 'auto' ? 'auto' : Number(options.threads),
    tiles: options.tiles,
    rounds: options.rounds,
    filter: options.filter,
    wasm: new URL('wasm/', build),
    instance: (of, settings) => loadInstance(of === 'other' && against ? against : fileURLToPath(build), settings),
    against: against !== undefined,
    machine: machine(),
    engine: `Node ${process.versions.node} (V8 ${process.versions.v8.split('-')[0]}${options.revectorize ? ', revectorizing' : ''})`,
    // In a quick run only what is wrong is worth a line.
    ...(!options.quick && { progress }),
  });
  console.log((against === undefined ? formatReport : formatVersions)(report));
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  // A quick run has no times to show, and the charts are for the table of all.
  const html = options.html ?? (options.quick || against !== undefined ? '' : `${folder}report.html`);
  if (html) writeFileSync(html, formatHtml(report));
  if (options.readme) updateReadme(formatMarkdown(report));
  if (report.wrong.length > 0) process.exitCode = 1;
}

await main().catch((error) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});

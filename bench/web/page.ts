// The benchmarks in a page. The address may start a run, as serve.ts does: /?run&family=gemm&peers&quick
import { formatHtml } from '../harness/charts.ts';
import { formatReport, formatSeconds, formatShare } from '../harness/report.ts';
import { FAMILIES, type FamilyName, type Peers, run } from '../harness/run.ts';

/** PyTorch is the one peer that no page can have. */
const PEERS: Peers = {
  plain: () => import('../peers/plain.ts'),
  'tfjs-cpu': () => import('../peers/tfjs-cpu.ts'),
  'tfjs-wasm': () => import('../peers/tfjs-wasm.ts'),
  onnx: () => import('../peers/onnx.ts'),
  'jax-js': () => import('../peers/jax.ts'),
};

const find = <T extends Element>(selector: string): T => document.querySelector(selector) as T;
const out = find<HTMLPreElement>('#out');

/** Lets the page show what was written. */
const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** All of them, or those that are named. */
function peersOf(chosen: URLSearchParams): Peers {
  if (chosen.has('peers')) return PEERS;
  const named = chosen.getAll('peer');
  for (const name of named)
    if (!(name in PEERS))
      throw new Error(`bench: expected --peer to be one of ${Object.keys(PEERS).join(', ')}, got ${name}`);
  return Object.fromEntries(Object.entries(PEERS).filter(([name]) => named.includes(name)));
}

async function start(chosen: URLSearchParams): Promise<unknown> {
  out.textContent = '';
  await breathe();
  const report = await run({
    families: chosen.has('family') ? (chosen.getAll('family') as FamilyName[]) : FAMILIES,
    peers: peersOf(chosen),
    quick: chosen.has('quick'),
    simd: 'auto',
    threads: 1,
    tiles: false,
    filter: chosen.get('filter') ?? undefined,
    rounds: chosen.has('rounds') ? Number(chosen.get('rounds')) : undefined,
    machine: `${navigator.hardwareConcurrency} cores`,
    engine: navigator.userAgent,
    wasm: new URL('../wasm/', import.meta.url),
    progress: (family, name, { rows: [first] }) => {
      out.textContent += `${family}  ${name}  ${first ? `${formatSeconds(first.seconds.best)}  ${formatShare(first.share)}` : ''}\n`;
    },
  });
  out.textContent = formatReport(report);
  if (!report.quick) {
    const charts = find<HTMLIFrameElement>('#charts');
    charts.srcdoc = formatHtml(report);
    charts.hidden = false;
  }
  return report;
}

/** Runs, and tells the server what came of it. */
async function report(chosen: URLSearchParams): Promise<void> {
  let body: unknown;
  try {
    body = await start(chosen);
  } catch (error) {
    out.textContent = String(error);
    body = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  await fetch('/result', { method: 'POST', body: JSON.stringify(body) });
}

find('#families').innerHTML = FAMILIES.map(
  (name) => `<label><input type="checkbox" name="family" value="${name}" checked /> ${name}</label>`,
).join('');
const form = find<HTMLFormElement>('form');
form.onsubmit = (event) => {
  event.preventDefault();
  void report(new URLSearchParams([...new FormData(form)].map(([key, value]) => [key, String(value)])));
};
const asked = new URLSearchParams(location.search);
if (asked.has('run')) void report(asked);

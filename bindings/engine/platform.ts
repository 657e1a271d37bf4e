// What this is running in.

/** Cloudflare's workerd has Node's names too, without what stands behind them. */
const isWorkerd = globalThis.navigator?.userAgent === 'Cloudflare-Workers';

/** Node, and what is made like it: Deno, Bun. */
// Some bundlers put a module for browsers in the place of a bare `process`, and have to install it.
export const isNode = !!globalThis.process?.versions?.node && !isWorkerd;

/** As `import()` of a module of Node, where that takes a millisecond, and others do not know it. */
const builtinNow = globalThis.process?.getBuiltinModule as ((name: string) => unknown) | undefined;
export const builtin = async <T>(name: string, load: () => Promise<T>): Promise<T> =>
  (builtinNow?.(name) as T | undefined) ?? load();

/** Milliseconds of a steady clock; where there is none, of the day's. */
export const now: () => number = typeof performance === 'undefined' ? () => Date.now() : () => performance.now();

type Versions = Readonly<Record<string, string | undefined>>;

/** Agents name others as well, Chrome Safari's and Edge Chrome's: the first that fits it is. */
const AGENTS: readonly (readonly [engine: string, product: string, pattern: RegExp])[] = [
  ['SpiderMonkey', 'Firefox', /Firefox\/(\d+)/],
  ['JavaScriptCore', 'Chrome on iOS', /CriOS\/(\d+)/],
  ['JavaScriptCore', 'Firefox on iOS', /FxiOS\/(\d+)/],
  ['V8', 'Edge', /Edg\/(\d+)/],
  ['V8', 'Chrome', /Chrome\/(\d+)/],
  ['JavaScriptCore', 'Safari', /(?:Macintosh|iPhone|iPad).*Version\/(\d+(?:\.\d+)?).*Safari/],
  // WebKitGTK and the like, whose Version says nothing.
  ['JavaScriptCore', 'WebKit', /AppleWebKit\/(\d+(?:\.\d+)?)/],
];

/** The engine and what it is part of: 'V8 11.3 (Node 20.20)', 'SpiderMonkey (Firefox 128)'. */
export function engineName(versions: Versions = isNode ? globalThis.process.versions : {}): string {
  const short = (version: string | undefined): string => (version ?? '').split('.').slice(0, 2).join('.');
  const { v8, node, bun, deno } = versions;
  if (bun) return `JavaScriptCore (Bun ${short(bun)})`;
  if (node) return `V8 ${short(v8)} (${deno ? `Deno ${short(deno)}` : `Node ${short(node)}`})`;
  if (isWorkerd) return 'V8 (Cloudflare Workers)';
  const agent = globalThis.navigator?.userAgent ?? '';
  for (const [engine, product, pattern] of AGENTS) {
    const version = pattern.exec(agent)?.[1];
    if (version) return `${engine} (${product} ${version})`;
  }
  return agent || 'unknown engine';
}

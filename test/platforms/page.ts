// Pages that run the program in themselves and in a worker, and post what came of it.
import type { Browser } from './browsers.ts';
import type { Trained } from './program.ts';
import { type Running, type Site, serve } from './server.ts';

/** A module that runs program.js in the page, and in a worker: an expression for one that runs the next module. */
export const pageOf = (worker: string, options = 'options'): string => `import { train } from './program.js';
const violations = [];
addEventListener('securitypolicyviolation', (event) => violations.push(\`\${event.violatedDirective} \${event.blockedURI}\`));
const inWorker = (worker, options) => new Promise((resolve) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => resolve({ error: event.message ?? 'the worker did not start' });
  worker.postMessage(options);
});
(async () => { // not all formats of bundles have await at the top
  const options = await (await fetch('/options.json')).json();
  const page = await train(${options}).catch((error) => ({ error: \`\${error.name}: \${error.message}\` }));
  const worker = await inWorker(${worker}, options);
  await fetch('/result', { method: 'POST', body: JSON.stringify({ page, worker, violations }) });
})();
`;

/** The module of a worker that gets options by a message, and answers. */
export const workerOf = (options = 'options'): string => `import { train } from './program.js';
onmessage = async ({ data: options }) => {
  postMessage(await train(${options}).catch((error) => ({ error: \`\${error.name}: \${error.message}\` })));
};
`;

/** Posts what ends a page before its end. */
const WATCH = `const fail = (error) => fetch('/result', { method: 'POST', body: JSON.stringify({ page: { error } }) });
addEventListener('error', (event) => fail(String(event.message ?? \`not loaded: \${event.target.src}\`)), true);
addEventListener('unhandledrejection', (event) => fail(String(event.reason)));
`;

/** What every page has: its document, what watches it, and the options of init(). */
export const commonFiles = (options: object, script = '<script type="module" src="/page.js"></script>') => ({
  '/index.html': `<!doctype html>\n<meta charset="utf-8"><title>retrograd</title>\n<script src="/watch.js"></script>\n${script}\n`,
  '/watch.js': WATCH,
  '/options.json': JSON.stringify(options),
});

export interface Answer {
  readonly page: Trained;
  readonly worker: Trained;
  /** Of the content security policy. */
  readonly violations: readonly string[];
  /** As the browser's driver tells. */
  readonly problems: readonly string[];
}

/** Milliseconds for what takes one or two seconds where nothing else runs. */
const PATIENCE = 60_000;

/** Opens the site's page and waits for what it posts. `others` are servers that it may ask too. */
export async function visit(browser: Browser, site: Site, others: readonly Running[] = []): Promise<Answer> {
  for (let left = browser.tries; left > 1; left--) {
    const answer = await visitOnce(browser, site, others, PATIENCE / browser.tries);
    if (answer) return answer;
  }
  const answer = await visitOnce(browser, site, others, PATIENCE);
  if (!answer) throw new Error('the page posted nothing');
  return answer;
}

async function visitOnce(
  browser: Browser,
  site: Site,
  others: readonly Running[],
  patience: number,
): Promise<Answer | null> {
  const server = await serve(site);
  const tab = await browser.open(
    server.origin,
    [server, ...others].map(({ origin }) => origin),
  );
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), patience);
    });
    const answer = (await Promise.race([server.result, late])) as Answer | null;
    if (answer) return { ...answer, problems: tab.problems };
    if (tab.problems.length > 0) throw new Error(`the page posted nothing; ${tab.problems.join('; ')}`);
    return null;
  } finally {
    clearTimeout(timer);
    await tab.close();
    await server.close();
  }
}

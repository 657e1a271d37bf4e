// Local servers for pages under test: files from a few places, chosen headers, and a place to post the answer to.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};

export interface Site {
  /** Folders by the path they are served under; the longest path that fits wins. */
  readonly folders?: Readonly<Record<string, string>>;
  /** Files made up by the test, by path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Sent with every answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Running {
  readonly origin: string;
  /** What the page posts to /result. */
  readonly result: Promise<unknown>;
  /** The parts of files that were asked for: `/path 0-9`. */
  readonly ranges: readonly string[];
  close(): Promise<void>;
}

async function find({ folders = {}, files = {} }: Site, path: string): Promise<string | Uint8Array | undefined> {
  if (files[path] !== undefined) return files[path];
  const under = Object.keys(folders).sort((a, b) => b.length - a.length);
  const base = under.find((prefix) => path.startsWith(prefix));
  if (base === undefined || normalize(path) !== path) return undefined;
  return readFile(join(folders[base] as string, path.slice(base.length))).catch(() => undefined);
}

/** The part of a file that a range asks for. */
function partOf(found: string | Uint8Array | undefined, range = ''): { from: number; bytes: Uint8Array } | null {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  if (from === undefined || found === undefined) return null;
  const end = to ? Number(to) + 1 : undefined;
  return { from: Number(from), bytes: Buffer.from(found).subarray(Number(from), end) };
}

/** Serves `site` on a free port of 127.0.0.1. */
export async function serve(site: Site): Promise<Running> {
  let post: (result: unknown) => void = () => {};
  const ranges: string[] = [];
  const result = new Promise<unknown>((resolve) => {
    post = resolve;
  });
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'POST' && pathname === '/result') {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.writeHead(204, site.headers).end();
      post(JSON.parse(body));
      return;
    }
    const path = pathname === '/' ? '/index.html' : pathname;
    const found = await find(site, path);
    // Browsers ask for an icon of their own accord.
    const status = found !== undefined ? 200 : path === '/favicon.ico' ? 204 : 404;
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    const part = partOf(found, request.headers.range);
    if (part) ranges.push(`${path} ${part.from}-${part.from + part.bytes.length - 1}`);
    const body = part?.bytes ?? found ?? '';
    const headers = { ...site.headers, 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) };
    response.writeHead(part ? 206 : status, headers).end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    result,
    ranges,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

// Cloudflare's runtime, with a bundle and the wasm module that Wrangler would upload beside it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** As the program imports it, and where it is. */
const WASM = 'retrograd/wasm/strict.wasm';
const FILE = 'node_modules/retrograd/build/wasm/retrograd.strict.wasm';
const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [
      (name = "main.js", esModule = embed "dist/main.js"),
      (name = "${WASM}", wasm = embed "${FILE}")
    ],
    compatibilityDate = "2026-11-01"
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
`;

/** Serves dist/main.js of `folder`. */
export async function startWorkerd(program: string, folder: string): Promise<{ url: string; stop(): void }> {
  await writeFile(join(folder, 'config.capnp'), CONFIG);
  const stdio = ['ignore', 'ignore', 'pipe', 'pipe'] as const;
  const child = spawn(program, ['serve', 'config.capnp', '--control-fd=3'], { cwd: folder, stdio: [...stdio] });
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`workerd: ${said.trim().slice(0, 400)}`);
  });
  // {"event":"listen","socket":"http","port":12345}
  const [line] = await Promise.race([once(createInterface(child.stdio[3] as Readable), 'line'), ended]);
  ended.catch(() => {}); // it is stopped
  return { url: `http://127.0.0.1:${JSON.parse(line as string).port}`, stop: () => void child.kill() };
}

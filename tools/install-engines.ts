// Installs what the test matrix needs: packages of npm into a folder outside of the project, and packages of Debian
// where this process may. What cannot be had is said, and skipped by the tests.
//   node build/tools/install-engines.js [ENGINE ...]
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CACHE, ENGINE_IDS, ENGINES, type EngineId, find, folderOf } from './engines.ts';

const exec = promisify(execFile);
const isEngine = (name: string): name is EngineId => name in ENGINES;

const wanted = process.argv.length > 2 ? process.argv.slice(2) : ENGINE_IDS;
const ids = wanted.filter(isEngine);
if (ids.length < wanted.length)
  throw new Error(`install-engines: expected names of ${ENGINE_IDS.join(', ')}, got ${wanted.join(', ')}`);

/** npm by its script, which every system runs alike. */
const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];

async function installPackages(id: EngineId): Promise<void> {
  const { npm: packages, foreign = false } = ENGINES[id];
  if (!packages) return;
  const folder = folderOf(id);
  const manifest = JSON.stringify({ private: true, dependencies: packages });
  const file = join(folder, 'installed.json');
  const read = (): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  };
  if (read() === manifest) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), manifest);
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', ...(foreign ? ['--force'] : [])];
  const [command, ...before] = npm as [string, ...string[]];
  await exec(command, [...before, 'install', ...options], { cwd: folder });
  writeFileSync(file, manifest);
}

async function installDebian(): Promise<void> {
  const names = ids.filter((id) => 'missing' in find(id)).flatMap((id) => ENGINES[id].apt ?? []);
  if (names.length === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    if (process.getuid?.() !== 0) throw new Error('this user is not root');
    await exec('apt-get', ['update', '-qq'], { env });
    await exec('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { env, maxBuffer: 2 ** 27 });
  } catch (error) {
    console.log(`install-engines: no ${names.join(', ')} from Debian: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** Calls `job` for each of `list`, three at a time. */
async function inParallel<T>(list: readonly T[], job: (item: T) => Promise<void>): Promise<void> {
  const rest = list.values();
  const worker = async () => {
    for (const item of rest) await job(item);
  };
  await Promise.all([worker(), worker(), worker()]);
}

await Promise.all([
  inParallel(ids, async (id) => {
    try {
      await installPackages(id);
    } catch (error) {
      const why = String((error as Error).message);
      console.log(`install-engines: no ${ENGINES[id].title} from npm: ${why.slice(0, 500)}`);
      // There are packages for Linux only.
      if (!why.includes('EBADPLATFORM')) process.exitCode = 1;
    }
  }),
  installDebian(),
]);
console.log(`install-engines: in ${CACHE} and on the PATH`);
for (const id of ids) {
  const found = find(id);
  console.log(`  ${ENGINES[id].title.padEnd(28)} ${'missing' in found ? found.missing : found.command.join(' ')}`);
}

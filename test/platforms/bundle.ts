// docs/browsers-and-bundlers.md: its commands are run, and its files and headers used, as a reader would.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type EngineId, folderOf, packagesOf } from '../../tools/engines.ts';

const exec = promisify(execFile);
const PAPER = readFileSync(fileURLToPath(new URL('../../docs/browsers-and-bundlers.md', import.meta.url)), 'utf8');

interface Section {
  /** The files it shows, by their names, which stand in a comment above the text. */
  readonly files: Readonly<Record<string, string>>;
  /** Its commands. */
  readonly commands: string;
  /** Its headers of HTTP. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its page. */
  readonly html: string;
  /** The option that it gives to init(): 'locate: …'. */
  readonly option: string;
  /** How its worker is made. */
  readonly worker: string;
}

/** What the docs hold under a heading, up to the next one. */
export function sectionOf(title: string): Section {
  const section = PAPER.split(/^#+ /m).find((text) => text.startsWith(`${title}\n`));
  if (!section) throw new Error(`expected a section '${title}' in the docs, got none`);
  const files: Record<string, string> = {};
  const headers: Record<string, string> = {};
  let [commands, html] = ['', ''];
  for (const [, language, body = ''] of section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)) {
    const [, file] = /^\/\/ ([\w.-]+)\n/.exec(body) ?? [];
    if (file) files[file] = body;
    if (language === 'sh') commands += body;
    if (language === 'html') html += body;
    if (language === 'http')
      for (const [, name = '', value = ''] of body.matchAll(/^([\w-]+): (.*)$/gm)) headers[name] = value;
  }
  const [, option = ''] = /init\(\{ (\w+: .*) \}\)/.exec(section) ?? [];
  const [worker = ''] = /new Worker\(.*\)(?=[;`])/.exec(section) ?? [];
  return { files, commands, headers, html, option, worker };
}

/**
 * Makes a project with the package and a bundler, and bundles it by the commands of the docs.
 * @param project the project whose node_modules has the package
 * @param title the heading in the docs
 * @param files beside those of the docs, or in their place
 * @returns the folder of the project
 */
export async function bundle(
  project: string,
  title: string,
  id: EngineId,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = join(project, `${title.replaceAll(/\W+/g, '-')}-${Object.keys(files).length}`);
  const modules = join(folder, 'node_modules');
  await mkdir(modules, { recursive: true });
  for (const name of packagesOf(id)) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(folderOf(id), 'node_modules', name), join(modules, name));
  }
  await symlink(join(folderOf(id), 'node_modules/.bin'), join(modules, '.bin'));
  await symlink(join(project, 'node_modules/retrograd'), join(modules, 'retrograd'));
  const section = sectionOf(title);
  const all = { 'package.json': '{ "type": "module" }', ...section.files, ...files };
  for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text);
  const env = { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH}` };
  try {
    await exec('sh', ['-ec', section.commands.replaceAll(/^npx /gm, '')], { cwd: folder, env, timeout: 90_000 });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    const lines = `${stderr}${stdout}`.split('\n').filter((line) => /error|failed/i.test(line) && !/ENOENT/.test(line));
    throw new Error(`${title}: ${lines.join(' | ').slice(0, 400)}`);
  }
  return folder;
}

// The papers hold: their programs run, their commands, files and names exist, and every public name says what it is.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as retrograd from '../bindings/index.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAPERS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
const exec = promisify(execFile);

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');
const manifest = async () => JSON.parse(await read('package.json'));

/** Fenced blocks of a Markdown text: language and content. */
const blocks = (text: string): { language: string; body: string }[] =>
  [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', body = '']) => ({ language, body }));
/** The text without its fenced blocks. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '');
/** What stands between backticks in prose. */
const codes = (text: string): string[] => [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);

describe.each(PAPERS)('%s', (paper) => {
  it('links to files that exist', async () => {
    const targets = [...prose(await read(paper)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const missing = targets.filter((target) => !/^(https?:|#)/.test(target) && !existsSync(join(ROOT, target)));
    expect(missing).toEqual([]);
  });

  it('names folders and files that exist', async () => {
    const paths = codes(await read(paper)).filter((code) =>
      /^(assembly|bench|bindings|examples|test)\/[\w./-]*$/.test(code),
    );
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('names commands that exist', async () => {
    const text = await read(paper);
    const { scripts } = await manifest();
    const named = [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(([, a, b]) => (a ?? b) as string);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('is finished', async () => {
    const lines = (await read(paper)).split('\n');
    expect(lines.filter((line) => /@@|\b(TODO|TBD|FIXME|XXX)\b/.test(line))).toEqual([]);
  });
});

describe('README.md', () => {
  let folder: string;
  beforeAll(async () => {
    // Inside the package, so that it finds itself by name.
    folder = await mkdtemp(join(ROOT, 'build', '.docs-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('has programs that compile and run', async () => {
    const programs = blocks(await read('README.md')).filter(
      ({ language, body }) => language === 'ts' && body.includes('await init('),
    );
    expect(programs.length).toBeGreaterThan(0);
    const names = programs.map((_, i) => `program${i}.ts`);
    await Promise.all(
      programs.map(({ body }, i) => writeFile(join(folder, names[i] as string), `${body}\nexport {};\n`)),
    );
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2022', lib: ['ES2023', 'ESNext.Disposable', 'DOM'], types: [] },
      ...{ strict: true, skipLibCheck: true, outDir: 'out', rootDir: '.' },
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: names }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await exec(process.execPath, [tsc, '-p', folder]).catch((error) => error);
    expect(stdout).toBe('');
    for (const name of names) await exec(process.execPath, [join(folder, 'out', name.replace('.ts', '.js'))]);
  });

  it('names what the package exports', async () => {
    const { data, functional, io, nn, optim, Tensor } = retrograd;
    const spaces: Record<string, object> = { data, functional, io, nn, optim };
    const tensor = [...Object.getOwnPropertyNames(Tensor.prototype), 'shape', 'dtype', 'grad'];
    const everywhere = new Set([...Object.keys(retrograd), ...Object.keys(functional), ...tensor]);
    const wrong: string[] = [];
    for (const [, head = '', cells = ''] of (await read('README.md')).matchAll(/^\| ([^|]+) \| (.+) \|$/gm)) {
      const space = spaces[head.replaceAll('`', '')];
      // A name, `.name`, `name(…)` or `space.name`; not strings, options and expressions.
      for (const code of codes(cells)) {
        const [, name = ''] = /^(?:\w+\.|\.)?([A-Za-z]\w*)(?:\(.*\))?$/.exec(code) ?? [];
        const known = space ? (at: string) => at in space || nested(space, at) : (at: string) => everywhere.has(at);
        if (name && !known(name) && !everywhere.has(name)) wrong.push(`${head}: ${code}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  /** A method such as Module.stateDict, named in the row of its namespace. */
  function nested(space: object, name: string): boolean {
    return Object.values(space).some(
      (value) => typeof value === 'function' && value.prototype && name in value.prototype,
    );
  }
});

describe('the changelog', () => {
  it('begins with the version of package.json', async () => {
    const [, version] = /^## (\d+\.\d+\.\d+\S*)/m.exec(await read('CHANGELOG.md')) ?? [];
    expect(version).toBe((await manifest()).version);
  });
});

describe('docstrings', () => {
  it('stand above every public name', async () => {
    const missing: string[] = [];
    for (const file of await publicFiles()) {
      const lines = (await read(file)).split('\n');
      lines.forEach((line, i) => {
        const [, name] =
          /^export (?:declare |default |abstract |async )*(?:function\*?|class|interface|type|const|enum) (\w+)/.exec(
            line,
          ) ?? [];
        if (name && !/\*\/\s*$/.test(lines[i - 1] ?? '')) missing.push(`${file}:${i + 1}: ${name}`);
      });
    }
    expect(missing).toEqual([]);
  });

  /** The files whose exports reach the user: those that the index files name. */
  async function publicFiles(): Promise<string[]> {
    const found = new Set<string>();
    const visit = async (file: string): Promise<void> => {
      if (found.has(file)) return;
      found.add(file);
      for (const [, from = ''] of (await read(file)).matchAll(/^(?:export|\}).* from '(\.[^']+)'/gm))
        await visit(join(dirname(file), from));
    };
    await visit('bindings/index.ts');
    expect(found.size).toBeGreaterThan((await readdir(join(ROOT, 'bindings'))).length);
    return [...found];
  }
});

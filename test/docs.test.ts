// The papers hold: their programs run, their commands, files and names exist, and every public name says what it is.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { library as retrograd } from './support/surface.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAPERS = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
];
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
    const missing = targets.filter(
      (target) => !/^(https?:|#)/.test(target) && !existsSync(join(ROOT, dirname(paper), target)),
    );
    expect(missing).toEqual([]);
  });

  it('names folders and files that exist', async () => {
    const paths = codes(await read(paper)).filter((code) =>
      /^(assembly|bench|bindings|examples|test|tools)\/[\w./-]*$/.test(code),
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
  it('names what the package exports', async () => {
    const { autograd, data, distributed, distributions, doctor, explain, functional, io, nn, onnx, optim } = retrograd;
    const { Tensor, train } = retrograd;
    const kits = { distributed, doctor, explain, train };
    const spaces: Record<string, object> = { autograd, data, distributions, functional, io, nn, onnx, optim, ...kits };
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

describe('the pages', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(ROOT, 'build', '.pages-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const starts = (body: string): boolean => /await (init|tf\.setBackend)\(/.test(body);
  /** `@tensorflow/tfjs`, of its parts that are installed. */
  const tensorflow = `import '@tensorflow/tfjs-backend-cpu';
export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';
`;

  /** The programs of a page: each block of TypeScript that starts one, with those that go on. Of README what starts. */
  const programsOf = async (page: string): Promise<{ page: string; file: string; text: string }[]> => {
    const texts: string[] = [];
    for (const { language, body } of blocks(await read(page))) {
      if (language !== 'ts' || (page === 'README.md' && !starts(body))) continue;
      if (starts(body) || texts.length === 0) texts.push(body);
      else texts.push(`${texts.pop()}\n${body}`);
    }
    const name = page.replace('docs/', '').replace('.md', '');
    return texts.filter(starts).map((text, i) => ({ page, file: `${name}-${i}`, text }));
  };

  it('have programs that compile, run, and print what they say', async () => {
    const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((page) => `docs/${page}`)];
    const programs = (await Promise.all(pages.map(programsOf))).flat();
    expect(new Set(programs.map(({ page }) => page)).size).toBeGreaterThan(5);
    await writeFile(join(folder, 'tensorflow.ts'), tensorflow);
    await Promise.all(
      programs.map(({ file, text }) => {
        const program = text.replace("'@tensorflow/tfjs'", "'./tensorflow.js'");
        return writeFile(join(folder, `${file}.ts`), `${program}\nexport {};\n`);
      }),
    );
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2022', lib: ['ES2023', 'ESNext.Disposable', 'DOM'], types: [] },
      ...{ strict: true, skipLibCheck: true, outDir: 'out', rootDir: '.' },
    };
    const files = programs.map(({ file }) => `${file}.ts`);
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const compiled = await exec(process.execPath, [tsc, '-p', folder]).catch((error) => error);
    expect(compiled.stdout).toBe('');
    for (const { page, file, text } of programs) {
      const { stdout } = await exec(process.execPath, [join(folder, 'out', `${file}.js`)]);
      const printed = stdout.trimEnd().split('\n');
      for (const [, said = ''] of text.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm))
        if (/^([[{'\d-]|(true|false)$|[A-Z]\w+Error)/.test(said)) expect(printed, page).toContain(said);
    }
  });
});

describe('the changelog', () => {
  it('begins with the version of package.json', async () => {
    const [, version] = /^## (\d+\.\d+\.\d+\S*)/m.exec(await read('CHANGELOG.md')) ?? [];
    expect(version).toBe((await manifest()).version);
  });
});

describe('the examples of the reference', () => {
  /** The programs of the `@example`s in docs: where they stand, and what they are. */
  async function examples(): Promise<{ where: string; body: string }[]> {
    const files = (await readdir(join(ROOT, 'bindings'), { recursive: true })).filter((file) => file.endsWith('.ts'));
    const found = await Promise.all(
      files.map(async (file) =>
        [...(await read(join('bindings', file))).matchAll(/@example\n\s*\* ```ts\n([\s\S]*?)\n\s*\* ```\n/g)].map(
          ([, body = '']) => ({ where: file, body: body.replace(/^\s*\* ?/gm, '') }),
        ),
      ),
    );
    return found.flat();
  }

  /** Namespaces of which entries have more than the index. */
  const ENTRIES = ['data', 'distributed', 'doctor', 'explain', 'io', 'onnx', 'tfjs', 'train'];

  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(ROOT, 'build', '.examples-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('compile and run', async () => {
    const programs = await examples();
    const all = programs.map(({ body }) => body).join('\n');
    const entries = ['init(', 'tensor(', 'compile(', 'nn.Module', 'nn.Sequential(', 'data.DataLoader(', 'optim.Adam('];
    for (const entry of [...entries, '.backward()', 'scope(']) expect(all).toContain(entry);
    const text = `import { ${Object.keys(retrograd)
      .filter((name) => name !== 'var' && !ENTRIES.includes(name)) // a word of the language
      .join(', ')} } from 'retrograd';
${ENTRIES.map((name) => `import * as ${name} from 'retrograd/${name}';`).join('\n')}
await init();
${programs.map(({ where, body }) => `{ // ${where}\n${body}\n}`).join('\n')}
shutdown();
`;
    await writeFile(join(folder, 'examples.ts'), text);
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2022', lib: ['ES2022', 'DOM'], types: [], strict: true },
      ...{ skipLibCheck: true, outDir: 'out', rootDir: '.' },
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['examples.ts'] }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await exec(process.execPath, [tsc, '-p', folder]).catch((error) => error);
    expect(stdout).toBe('');
    const run = await exec(process.execPath, [join(folder, 'out', 'examples.js')]);
    expect(run.stderr).toBe('');
    expect(run.stdout).toContain('[ 2, 4, 6 ]'); // the gradient that the example of backward() promises
  });
});

describe('the reference', () => {
  it('is made without a warning: no undocumented name, no hidden type, no broken link', async () => {
    const shell = process.platform === 'win32'; // where npm is a script
    const { stdout, stderr, code } = await exec('npm', ['run', '--silent', 'docs'], { cwd: ROOT, shell }).catch(
      (error) => error,
    );
    expect(code, `${stdout}${stderr}`).toBeUndefined();
    expect(`${stdout}${stderr}`).not.toContain('warning');
    const page = await read('build/docs/classes/index.Tensor.html');
    expect(page).toContain('The sum of the elements over');
    const pages = await readdir(join(ROOT, 'build/docs'), { recursive: true });
    expect(pages).toEqual(
      expect.arrayContaining([
        join('classes', 'index.nn.ReLU.html'),
        join('functions', 'index.add.html'),
        join('classes', 'data.Pipeline.html'),
        join('functions', 'onnx.loadOnnx.html'),
      ]),
    );
    for (const name of pages.filter((path) => path.endsWith('.html')))
      expect(await read(join('build/docs', name)), name).not.toContain('__namedParameters');
  });
});

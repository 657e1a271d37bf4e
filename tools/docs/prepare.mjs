// Copies the declarations to where TypeDoc reads them, and marks constants that are called as functions, as which it
// then shows them. They are constants because one mechanism makes them all; see bindings/signature.ts.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FROM = join(ROOT, 'build/lib');
const TO = join(ROOT, 'build/docs-source');
/** Constants that are classes. */
const CLASSES = /Class$/;

rmSync(TO, { recursive: true, force: true });
cpSync(FROM, TO, { recursive: true, filter: (path) => !/\.(js|map)$/.test(path) });
for (const name of readdirSync(TO, { recursive: true, encoding: 'utf8' })) {
  if (!name.endsWith('.d.ts')) continue;
  const path = join(TO, name);
  const text = readFileSync(path, 'utf8');
  const marked = text.replace(
    /\/\*\*((?:(?!\*\/)[\s\S])*?)\s*\*\/\n(export declare const \w+: ([^\n;]*))/g,
    (whole, doc, declaration, type) =>
      CLASSES.test(type) ? whole : `/**${doc.trimEnd()}\n * @function\n */\n${declaration}`,
  );
  if (marked !== text) writeFileSync(path, marked);
}

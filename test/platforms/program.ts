// The program that every engine and every bundle runs, and what it has to answer.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';

const exec = promisify(execFile);
const TEXT = readFileSync(fileURLToPath(new URL('program.js', import.meta.url)), 'utf8');
const [, NAMES = ''] = /^import (\{[^}]*\}) from 'retrograd';$/m.exec(TEXT) ?? [];

/** What program.js answers. */
export interface Trained {
  readonly engine: string;
  readonly build: string;
  readonly threads: number;
  readonly reasons: readonly string[];
  /** Of the weights that each network ends with. */
  readonly hashes: Readonly<Record<string, string>>;
  /** The message of an error that names a place in the program. */
  readonly mistake: string;
  /** Only where it failed. */
  readonly error?: string;
}

/** The program as a module that finds the package by `from`. */
export const asModule = (from = 'retrograd'): string => TEXT.replace("'retrograd'", `'${from}'`);

/** The program for require(), or with the package from somewhere else: `source` is an expression. */
export const asScript = (source: string): string =>
  TEXT.replace(/^import [^;]*;$/m, `const ${NAMES.replaceAll(' as ', ': ')} = ${source};`).replace(
    'export async function',
    'async function',
  );

/**
 * Runs a program to its end, which is to be a good one, and reads what it printed.
 * @param command the program and its arguments
 */
export async function answerOf(command: readonly string[], cwd: string): Promise<Trained> {
  const [program, ...args] = command as [string, ...string[]];
  const { stdout } = await exec(program, args, { cwd, timeout: 90_000, killSignal: 'SIGKILL' }).catch((error) => {
    const { code, signal, stderr } = error as { code?: number; signal?: string; stderr: string };
    const said = stderr.split('\n').filter((line) => /\w/.test(line));
    throw new Error(`ended with ${signal ?? code}: ${said.slice(0, 6).join(' | ').slice(0, 400)}`);
  });
  return JSON.parse(stdout.slice(stdout.indexOf('{')));
}

/**
 * Holds that a run of the strict build ended with the weights that all others have.
 * @param threads how many there must have been, unless the machine was too busy to start them in time
 */
export function expectSame(got: Trained, expected: Trained, threads?: number): void {
  expect(got.error).toBeUndefined();
  expect(got.hashes).toEqual(expected.hashes);
  expect(got.build).toBe('strict');
  const reasons = got.reasons.join('; ');
  if (threads !== undefined && !/after all: .* (in time|within)/.test(reasons))
    expect(got.threads, reasons).toBe(threads);
}

/** Holds that the error names a place with one of `marks` in the file that the engine read, `text`. */
export function expectPlace(mistake: string, text: string, marks = /12345\.5/): void {
  expect(mistake).toMatch(/^RecordingError: item: .* \((at |.*@).*:\d+:\d+\)+;/);
  const [, line, column] = /:(\d+):(\d+)\)+;/.exec(mistake) as unknown as [string, string, string];
  const from = Number(column) - 60;
  expect(text.split('\n')[Number(line) - 1]?.slice(Math.max(0, from), from + 120)).toMatch(marks);
}

// The command line of the small programs here: numbers and texts, each with what it is without being given, and --help.
import { parseArgs } from 'node:util';

/** What a program can be told: by name, the usual value and what it means. */
type Choices = Record<string, readonly [usual: number | string, meaning: string]>;
/** A number where the usual value is one, else a text. */
type Options<C extends Choices> = { readonly [Name in keyof C]: C[Name][0] extends number ? number : string };

/**
 * Reads `argv`. Numbers are above 0, and whole where the usual one is (or is Infinity, which reads as `all`). After
 * `--help`, and after a mistake with exit code 2, the process ends.
 */
export function readOptions<const C extends Choices>(
  about: string,
  choices: C,
  argv: readonly string[] = process.argv.slice(2),
): Options<C> {
  const entries = Object.entries(choices);
  const texts = Object.fromEntries(entries.map(([name]) => [name, { type: 'string' } as const]));
  try {
    const options = { ...texts, help: { type: 'boolean' } } as const;
    const values: Record<string, unknown> = parseArgs({ args: [...argv], options }).values;
    const read = entries.map(([name, [usual]]) => [name, chosen(name, usual, values[name])]);
    if (!values.help) return Object.fromEntries(read) as Options<C>;
  } catch (error) {
    console.error(`${(error as Error).message.split(/\. |\n/)[0]}; see --help`);
    process.exit(2);
  }
  console.log(`${about}\n\n${entries.map(describe).join('\n')}`);
  process.exit();
}

function describe([name, [usual, meaning]]: [string, Choices[string]]): string {
  const left = `  --${name} <${typeof usual === 'number' ? 'n' : 'path'}>`;
  return `${left.padEnd(18)} ${meaning} (default ${usual === Infinity ? 'all' : usual || 'the npm package'})`;
}

function chosen(name: string, usual: number | string, given: unknown): number | string {
  if (given === undefined) return usual;
  if (typeof usual === 'string') return String(given);
  const whole = Number.isInteger(usual) || usual === Infinity;
  const n = Number(given);
  if (n > 0 && Number.isFinite(n) && (!whole || Number.isInteger(n))) return n;
  throw new Error(`--${name}: expected a ${whole ? 'whole number from 1 on' : 'number above 0'}, got '${given}'`);
}

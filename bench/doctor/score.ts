// Runs programs under the doctor, and counts what it finds: recall by fault, right places, false alarms.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { manualSeed, scope } from 'retrograd';
import { FINDINGS, type FindingId, type Program, type Run, type Stepped } from './program.ts';

/** What a report of the doctor has at least. */
interface Finding {
  readonly id: string;
  readonly kind: 'fault' | 'hint';
  readonly where: string | null;
  readonly confidence: number;
}
interface Doctor {
  step(loss: Stepped['loss'], batch?: Omit<Stepped, 'loss'>): void;
  report(): Promise<{ readonly findings: readonly Finding[] }> | { readonly findings: readonly Finding[] };
}
export type Watch = (
  model: Run['model'],
  optimizer: Run['optimizer'],
  options: Pick<Run, 'loss' | 'train' | 'validation'> & { every?: number },
) => Doctor;

/** What the doctor said of one run. */
export interface Verdict {
  readonly program: Program;
  readonly seed: number;
  readonly findings: readonly Finding[];
  readonly found: boolean;
  /**
   * Whether there is a place to name: not for faults without one, and not where another finding is right, which has
   * none.
   */
  readonly placeable: boolean;
  readonly placed: boolean;
  /** Whether the first finding that is a fault is right; of hints, whether no fault is named before them. */
  readonly first: boolean;
  readonly alarms: number;
  readonly seconds: number;
  readonly error?: string;
}

/** Trains as the program does, and asks the doctor. */
async function examine(watch: Watch, program: Program, seed: number, every: number): Promise<Verdict> {
  manualSeed(seed);
  const start = performance.now();
  let findings: readonly Finding[] = [];
  let error: string | undefined;
  try {
    const run = await program.make(seed);
    const { model, optimizer, loss, train, validation } = run;
    const doctor = watch(model, optimizer, {
      loss,
      every,
      ...(train !== undefined && { train }),
      ...(validation !== undefined && { validation }),
    });
    for (let i = 0; i < run.steps; i++)
      scope(() => {
        const { loss: value, ...batch } = run.step(i);
        doctor.step(value, batch);
      });
    ({ findings } = await doctor.report());
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  const seconds = (performance.now() - start) / 1000;
  return { ...judge(program, findings), seed, seconds, ...(error !== undefined && { error }) };
}

/** A parameter's path counts as that of its module. */
const isPlace = (found: string | null, place: string): boolean =>
  found !== null &&
  (found === place || (found.startsWith(`${place}.`) && /^(weight|bias)\w*$/.test(found.slice(place.length + 1))));

function judge(program: Program, findings: readonly Finding[]): Omit<Verdict, 'seed' | 'seconds'> {
  const { fault, where, acceptable = [] } = program;
  const right = fault === null ? [] : [fault, ...acceptable];
  const hits = findings.filter(({ id }) => right.includes(id as FindingId));
  const places = where === null ? [] : typeof where === 'string' ? [where] : where;
  const faults = findings.filter(({ kind }) => kind === 'fault');
  return {
    program,
    findings,
    found: hits.length > 0,
    placeable:
      places.length > 0 && (hits.length === 0 || hits.some(({ id, where: at }) => id === fault || at !== null)),
    placed: hits.some((hit) => places.some((place) => isPlace(hit.where, place))),
    first: faults[0] ? hits.includes(faults[0]) : hits.length > 0,
    alarms: faults.length,
  };
}

/** Gives back what no program holds any more: hundreds of them in a row give the collector no reason of its own. */
async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  await setImmediate();
}

/** All programs, with all seeds. */
export async function examineAll(
  watch: Watch,
  programs: readonly Program[],
  { seeds = [1], every = 10, say }: { seeds?: readonly number[]; every?: number; say?: (line: string) => void } = {},
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const program of programs)
    for (const seed of seeds) {
      const verdict = await examine(watch, program, seed, every);
      verdicts.push(verdict);
      if (verdicts.length % 8 === 0) await collect();
      say?.(line(verdict));
    }
  return verdicts;
}

function line({ program, findings, found, placeable, placed, alarms, seconds, error }: Verdict): string {
  const word = error
    ? 'ERROR'
    : program.fault === null
      ? alarms > 0
        ? 'ALARM'
        : 'quiet'
      : found
        ? placed || !placeable
          ? 'found'
          : 'PLACE'
        : 'MISSED';
  const said = findings.map(({ id, kind, where, confidence }) => {
    const sure = confidence.toFixed(2);
    return `${kind === 'hint' ? '(hint) ' : ''}${id}${where === null ? '' : ` at ${where || 'model'}`} ${sure}`;
  });
  const what = `${program.fault ?? 'healthy'} · ${program.name}`;
  return `${word.padEnd(7)}${what}  [${said.join('; ')}]  ${seconds.toFixed(2)} s${error ? ` ${error}` : ''}`;
}

const share = (part: number, whole: number): string =>
  whole === 0 ? '–' : `${part}/${whole} ${((100 * part) / whole).toFixed(0)} %`;

/** The table of a set. */
export function formatScore(name: string, verdicts: readonly Verdict[]): string {
  const faulty = verdicts.filter(({ program }) => program.fault !== null);
  const healthy = verdicts.filter(({ program }) => program.fault === null);
  const row = (label: string, of: readonly Verdict[]): string => {
    const placeable = of.filter((verdict) => verdict.placeable);
    return [
      label.padEnd(34),
      share(of.filter(({ found }) => found).length, of.length).padEnd(14),
      share(placeable.filter(({ placed }) => placed).length, placeable.length).padEnd(14),
      share(of.filter(({ first }) => first).length, of.length),
    ].join('');
  };
  const lines = [`${name}: ${faulty.length} faulty runs, ${healthy.length} healthy ones`, ''];
  lines.push(`${'fault'.padEnd(34)}${'recall'.padEnd(14)}${'place'.padEnd(14)}named first`);
  for (const id of Object.keys(FINDINGS)) {
    const of = faulty.filter(({ program }) => program.fault === id);
    if (of.length > 0) lines.push(row(id, of));
  }
  lines.push(row('all', faulty));
  const alarmed = healthy.filter(({ alarms }) => alarms > 0);
  lines.push('', `healthy runs with an alarm  ${share(alarmed.length, healthy.length)}`);
  for (const { program, findings } of alarmed)
    lines.push(
      `  ${program.name}: ${findings
        .filter(({ kind }) => kind === 'fault')
        .map(({ id }) => id)
        .join(', ')}`,
    );
  const extra = faulty.reduce((sum, { alarms }) => sum + alarms, 0) / Math.max(1, faulty.length);
  lines.push(`faults named a faulty run   ${extra.toFixed(2)}`);
  const errors = verdicts.filter(({ error }) => error !== undefined);
  if (errors.length > 0) lines.push(`runs that threw             ${errors.length}`);
  return lines.join('\n');
}

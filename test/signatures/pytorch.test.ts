// Holds what our callables take against PyTorch's signatures, which test/golden/generate.py writes: positions in order,
// those that we lack declared absent, and defaults. What differs stands in docs/differences.md, with the reason.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Parameter } from '../../bindings/parameters.ts';
import type { Signature } from '../../bindings/signature.ts';
import { read } from '../golden/golden.ts';
import { type PublicCallable, surface } from '../support/surface.ts';

const golden = read('signatures') as Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** Sections of docs/differences.md → the names that their tables begin rows with. */
function pageOf(text: string): Map<string, string[]> {
  const page = new Map<string, string[]>();
  let rows: string[] = [];
  for (const line of text.split('\n')) {
    const [, title] = /^## (.*)/.exec(line) ?? [];
    if (title) {
      rows = [];
      page.set(title, rows);
    }
    const [, first = ''] = /^\| (.*?) \|/.exec(line) ?? [];
    rows.push(...[...first.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string));
  }
  return page;
}
const page = pageOf(readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8'));
const listed = (title: string): string[] => page.get(title) ?? [];

/** Required arguments, which nobody writes the names of, that have names of their own here. */
const OWN_NAMES: Readonly<Record<string, readonly string[]>> = {
  x: ['input', 'self', 'tensor'],
  shape: ['size'],
  other: ['exponent'],
  src: ['other'],
  state: ['new_state'],
  splitSize: ['split_size_or_sections'],
  layers: ['args'],
  item: ['module'],
  items: ['modules'],
  datasetOrTensors: ['tensors'],
  t0: ['T_0'],
};

/** Names of ours for names of PyTorch's. */
const RENAMED: Readonly<Record<string, string>> = {
  clip_grad_norm: 'clip_grad_norm_',
  clip_grad_value: 'clip_grad_value_',
};

/** An argument of PyTorch's. */
interface Argument {
  readonly name: string;
  /** As JSON has it, or PyTorch's own name of it; undefined: it is required. */
  readonly value: unknown;
  readonly byName: boolean;
  readonly variadic: boolean;
}

/** PyTorch's words are Python's. */
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A default so that ours and theirs compare: no list is an empty one. */
function plain(value: unknown): unknown {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return null;
  if (typeof value === 'string') return snake(value);
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.endsWith('Infinity') ? Number(text) : text;
  }
}

/** A form of PyTorch's, taken apart. */
function parse(form: string): Argument[] {
  let byName = false;
  const found: Argument[] = [];
  for (const [, star = '', name = '', value] of form.matchAll(/(\*?)(\w*)(?:=(\[[^\]]*\]|"[^"]*"|[^,]*))?(?:, |$)/g)) {
    const variadic = star !== '' && name !== '';
    if (name) found.push({ name, byName, variadic, value: value === undefined ? undefined : json(value) });
    byName ||= star !== '';
  }
  return found;
}

/** Where PyTorch may have what we have at a place. */
function homes({ place, owners }: PublicCallable): (readonly [section: string, name: string])[] {
  const parts = place.split('.');
  const [name, owner] = parts.reverse() as [string, string?];
  const top = parts.at(-1) as string;
  const theirs = /^[A-Z]/.test(name) ? name : (RENAMED[snake(name)] ?? snake(name));
  const among = (...sections: string[]) => sections.map((section) => [section, theirs] as const);
  if (top === 'Tensor' && owner) return among('Tensor', 'torch', 'functional');
  if (owner && /^[A-Z]/.test(owner))
    return [owner, ...owners].flatMap((each) =>
      ['autograd', 'distributions', 'nn', 'optim', 'lr_scheduler', 'swa_utils', 'data'].map(
        (section) => [section, `${each}.${theirs}`] as const,
      ),
    );
  if (owner === 'init' || owner === 'rnn') return among(owner);
  if (top === 'functional') return among('functional', 'torch');
  if (top === 'nn') return among('nn', 'utils');
  if (top === 'optim') return among('optim', 'lr_scheduler', 'swa_utils', 'utils');
  return owner ? among(owner) : among('torch', 'Tensor', 'functional', 'autograd');
}

/** What PyTorch has at the homes of a place: forms, and whether they have the tensor in front. */
const theirsOf = (each: PublicCallable): { forms: Argument[][]; bound: boolean }[] =>
  homes(each).flatMap(([section, name]) => {
    const forms = golden[section]?.[name];
    return forms ? [{ forms: forms.map(parse), bound: section === 'Tensor' }] : [];
  });

/** Why `ours` are not the positions of a form; undefined: they are. */
function fault(
  ours: readonly Parameter[],
  form: readonly Argument[],
  forms: readonly Argument[][],
): string | undefined {
  const theirs = form.filter(({ byName }) => !byName);
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const [a, b] = [ours[i], theirs[i]];
    if (!a) return `lacks ${b?.name}`;
    if (!b) return `has ${a.name}, which PyTorch lacks`;
    const named =
      snake(a.name) === b.name.toLowerCase() || ((a.required || a.variadic) && OWN_NAMES[a.name]?.includes(b.name));
    if (!named) return `has ${a.name} where PyTorch has ${b.name}`;
    if (a.variadic) continue;
    // PyTorch may leave an argument out by another form.
    const shorter = forms
      .map((other) => other.filter(({ byName }) => !byName))
      .some((other) => other.length === i && other.every(({ name }, j) => name === theirs[j]?.name));
    const needed = b.value === undefined && !b.variadic;
    if (a.required && !needed) return `needs ${a.name}`;
    if (!a.required && needed && !shorter) return `does not need ${a.name}`;
    if (!a.required && !needed && plain(a.value) !== plain(b.value))
      return `has ${a.name} = ${a.value}, not ${b.value}`;
  }
  return undefined;
}

/** What goes by name only in both has one default; all have the dtypes of their rows. */
function namedFault(ours: readonly Parameter[], form: readonly Argument[]): string | undefined {
  for (const { name, value } of ours) {
    const theirs = form.find((argument) => argument.name === snake(name));
    if (theirs && name !== 'dtype' && plain(value) !== plain(theirs.value))
      return `has ${name} = ${value}, not ${theirs.value}`;
  }
  return undefined;
}

/** Why a signature is not one of PyTorch's; undefined: it is. */
function difference(signature: Signature, each: PublicCallable): string | undefined {
  const why: string[] = [];
  const { parameters, positions } = signature;
  const { place, derived } = each;
  const method = place.startsWith('Tensor.') && !derived;
  for (const { forms, bound } of theirsOf(each)) {
    // A function has its tensor in front, as PyTorch's functions do; its methods have not.
    const from = bound && !method ? 1 : 0;
    for (const form of forms) {
      const found =
        fault(parameters.slice(from, positions), form, forms) ?? namedFault(parameters.slice(positions), form);
      if (found === undefined) return undefined;
      why.push(found);
    }
  }
  return why.join('; ');
}

const all = surface();
const inBoth = all.filter((each) => each.signatures.length > 0 && theirsOf(each).length > 0);

/** The names that rows of the page call a callable: `nn.Linear.forward` is forward of Linear. */
const short = (place: string): string =>
  place.replace(
    /^(autograd|distributed|distributions|functional|data|io|tfjs|train|nn\.init|nn\.utils\.\w+(?=\.)|nn\.utils|nn|optim)\./,
    '',
  );

describe('signatures of PyTorch', () => {
  it(`${inBoth.length} of our callables have one`, () => {
    expect(inBoth.length).toBeGreaterThan(200);
  });

  it.each(inBoth.map((each) => [each.place, each] as const))('%s', (place, each) => {
    const found = each.signatures.map((signature) => difference(signature, each)).filter((why) => why !== undefined);
    if (listed('Arguments').includes(short(place)) || listed('Meaning').includes(short(place))) return;
    expect(found).toEqual([]);
  });
});

describe('docs/differences.md', () => {
  it('lists arguments only of what differs', () => {
    const same = listed('Arguments').filter(
      (name) =>
        !inBoth.some(
          (each) => short(each.place) === name && each.signatures.some((signature) => difference(signature, each)),
        ),
    );
    expect(same).toEqual([]);
  });

  it('names what there is', () => {
    const places = new Set(all.flatMap(({ place }) => [short(place), place.split('.').at(-1) as string]));
    for (const title of ['Arguments', 'Meaning', 'Names of our own'])
      expect(
        listed(title).filter((name) => !places.has(name)),
        title,
      ).toEqual([]);
  });

  it('lists every name that PyTorch has not', () => {
    const own = all
      .filter((each) => theirsOf(each).length === 0 && !each.place.endsWith('.forward'))
      .map(({ place }) => short(place));
    // A method that calls a function stands with it.
    const derived = new Set(all.filter((each) => each.derived).map(({ place }) => place));
    const missing = [...new Set(own)].filter(
      (name) => !derived.has(name) && !listed('Names of our own').includes(name),
    );
    expect(
      missing
        .filter(
          (name) =>
            !/^Shuffle|^(Pipeline|TensorLoader|Preparation|Trainer)\.|^readFileBytes$|^writeFileAtomic$/.test(name),
        )
        .sort(),
    ).toEqual([]);
  });
});

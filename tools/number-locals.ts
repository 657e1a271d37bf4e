// Numbers the locals of functions so that gzip finds more: code that is like code before it has its locals at the same
// numbers. 5 % less than by how often each is set.

/** How much around a local tells where it stands: instructions before it and behind it; and what a match counts. */
const CONTEXTS: readonly (readonly [before: number, behind: number, weight: number])[] = [
  [2, 1, 1],
  [4, 2, 3],
  [8, 3, 9],
];
/** How many times more a match counts that has the numbers of the locals around it too. */
const NUMBERED = 3;
/** How many functions back are looked at, and how many of those that match say something. */
const WINDOW = 80;
const NEAREST = 3;
/** How often a function is numbered: each time by the numbers around a local that it got before. */
const PASSES = 3;

interface Code {
  /** Its instructions, and the local of each that has one. */
  readonly ops: readonly string[];
  readonly locals: readonly (string | undefined)[];
  readonly params: number;
  /** Its locals by their types, in the order in which they are numbered. */
  readonly types: ReadonlyMap<string, readonly string[]>;
}
/** The number of each local. */
type Numbers = ReadonlyMap<string, number>;
/** How much speaks for a number, for each local. */
type Votes = Map<string, Map<number, number>>;

const LOCAL = /(local\.(?:get|set|tee)) (\$\d+)/;

function add<K>(counts: Map<K, number>, key: K, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}

/** Reads a function as Binaryen writes it: its head, its locals, and an instruction a line. */
function codeOf(text: string): Code {
  const [, head = '', ...lines] = text.split('\n').map((line) => line.trim());
  const types = new Map<string, string[]>();
  for (const [, local, type] of text.matchAll(/\(local (\$\d+) (\w+)\)/g))
    types.set(type as string, [...(types.get(type as string) ?? []), local as string]);
  const instructions = lines.filter((line) => line && !line.startsWith('(local'));
  return {
    ops: instructions.map((line) => LOCAL.exec(line)?.[1] ?? line.replace(/\$\S+/g, '')),
    locals: instructions.map((line) => LOCAL.exec(line)?.[2]),
    params: head.split('(param ').length - 1,
    types,
  };
}

/** What stands around the local of instruction `at`: the instructions, and by numbers the other locals. */
function contextsOf({ ops, locals }: Code, at: number, numbers?: Numbers): [context: string, weight: number][] {
  return CONTEXTS.map(([before, behind, weight]) => {
    const from = Math.max(0, at - before);
    let context = `${at - from}`;
    for (let i = from; i <= at + behind && i < ops.length; i++) {
      context += `|${ops[i]}`;
      const local = locals[i];
      if (numbers && local) context += local === locals[at] ? '?' : numbers.get(local);
    }
    return [context, numbers ? weight * NUMBERED : weight];
  });
}

/** What numbers locals had in the contexts of functions before. */
class Memory {
  readonly #seen = new Map<string, { readonly at: number; readonly counts: Map<number, number> }[]>();

  /** Notes the numbers in the function at `at`. */
  note(code: Code, at: number, numbers: Numbers, around?: Numbers): void {
    for (const [i, local] of code.locals.entries()) {
      if (!local) continue;
      for (const [context] of contextsOf(code, i, around)) {
        const list = this.#seen.get(context) ?? [];
        if (list.at(-1)?.at !== at) list.push({ at, counts: new Map() });
        add((list.at(-1) as { counts: Map<number, number> }).counts, numbers.get(local) as number, 1);
        this.#seen.set(context, list);
      }
    }
  }

  /** Votes for numbers in the function at `at`. */
  vote(votes: Votes, code: Code, at: number, around?: Numbers): void {
    for (const [i, local] of code.locals.entries()) {
      if (!local) continue;
      const own = votes.get(local) ?? new Map<number, number>();
      votes.set(local, own);
      for (const [context, weight] of contextsOf(code, i, around)) {
        const near = (this.#seen.get(context) ?? []).slice(-NEAREST).filter((seen) => seen.at >= at - WINDOW);
        for (const [nth, { counts }] of near.toReversed().entries()) {
          const all = [...counts.values()].reduce((a, b) => a + b, 0);
          for (const [number, count] of counts) add(own, number, (weight * count) / all / (nth + 1));
        }
      }
    }
  }
}

/** Gives each local a free number of its type: first where most speaks for it. */
function elected({ params, types }: Code, votes: Votes): Map<string, number> {
  const numbers = new Map(Array.from({ length: params }, (_, i) => [`$${i}`, i]));
  let first = params;
  for (const locals of types.values()) {
    const free = new Set(Array.from(locals, (_, i) => first + i));
    const wishes = locals
      .flatMap((local) => Array.from(votes.get(local) ?? [], ([number, vote]) => ({ local, number, vote })))
      .sort((a, b) => b.vote - a.vote);
    for (const { local, number } of wishes) if (!numbers.has(local) && free.delete(number)) numbers.set(local, number);
    for (const local of locals) {
      if (numbers.has(local)) continue;
      const number = Math.min(...free);
      free.delete(number);
      numbers.set(local, number);
    }
    first += locals.length;
  }
  return numbers;
}

/** Functions as text, in the order in which they will stand, with their locals numbered. */
export function withNumberedLocals(functions: readonly string[]): string[] {
  const bare = new Memory(),
    numbered = new Memory();
  return functions.map((text, at) => {
    const code = codeOf(text);
    const votesOf = (around?: Numbers): Votes => {
      const votes: Votes = new Map();
      bare.vote(votes, code, at);
      if (around) numbered.vote(votes, code, at, around);
      return votes;
    };
    let numbers = elected(code, votesOf());
    for (let pass = 1; pass < PASSES; pass++) numbers = elected(code, votesOf(numbers));
    bare.note(code, at, numbers);
    numbered.note(code, at, numbers, numbers);
    // Names stay where they are declared, so a number is that of the name which is declared there.
    const names = [...Array.from({ length: code.params }, (_, i) => `$${i}`), ...[...code.types.values()].flat()];
    return text.replace(new RegExp(LOCAL, 'g'), (_, op, local) => `${op} ${names[numbers.get(local) as number]}`);
  });
}

// What a public callable takes, declared once and in one line, as Python writes it:
//
//   callable('dropout(x: Tensor, p: number = 0.5, training: bool = true, -inplace: bool = false)',
//     (x, p, training) => …)
//
// Arguments without a default are required. All may be given by position, by one trailing plain object, or positions
// first and the object for the rest; `undefined` is the default. Everything else is an ArgumentError. An object that a
// required argument takes at its position is that argument.
//
//   name: kind = default   the default is written as JSON, with single quotes; `name?: kind` has none, and is undefined
//   -name: kind = default  a position of PyTorch's that we lack: only its default may be given
//   *                      what follows it goes by name only
//   ...name: kind          one argument or more, or one list of them; it stands last among the required ones.
//                          `...name?: kind` may be none
//
// Kinds are those of kinds.ts, and of a table that is passed; `kind[]` is a list, `a|b` either, `'word'` a word.
import { type Check, isPlain, type Kind, meant, orList, phrase } from './kinds.ts';
import { ArgumentError, describe, named } from './memory/errors.ts';
import { type Parameter, read } from './parameters.ts';

export type { AfterFirst, Arguments, ByName, Callable, Front, Mixed } from './parameters.ts';

/** What is wrong with a call, told when asked: a closure in the code that finds it would slow every call. */
type Wrong = () => string;
/** Up to this many values are handed on one by one, which is faster than a list. */
const FEW = 8;

/** All signatures that there are in this program, for tests. */
export const signatures: Signature[] = [];

/** What a callable takes. */
export class Signature {
  /** As the declaration has it, with the class of a method: `Module.train`. */
  readonly path: string;
  /** As messages call it. */
  readonly name: string;
  readonly text: string;
  /** The function that callable() made of it. */
  fn: unknown;
  readonly #own: Readonly<Record<string, Kind>> | undefined;
  // Read at the first call: most programs call few of all.
  #parameters: readonly Parameter[] | undefined;
  /** Defaults, at least FEW of them. */
  #values: unknown[] = [];
  #checks: Check[] = [];
  /** What may be given by name, '' where it may not. */
  #keys: string[] = [];
  #required = 0;
  /** As #required, with one of those of which any number may follow. */
  #least = 0;
  /** As #required; -1 where any number may follow or there are more than FEW, and before they are read. */
  #exact = -1;
  #positions = -1;
  #variadic = false;

  constructor(text: string, own?: Readonly<Record<string, Kind>>) {
    this.text = text;
    this.path = text.slice(0, text.indexOf('('));
    this.name = this.path.slice(this.path.lastIndexOf('.') + 1);
    this.#own = own;
    signatures.push(this);
  }

  /** Its arguments in order; those from `positions` on go by name only. */
  get parameters(): readonly Parameter[] {
    return this.#parameters ?? this.#read();
  }

  get positions(): number {
    this.parameters;
    return this.#positions;
  }

  #read(): readonly Parameter[] {
    const { parameters, positions } = read(this.text, this.#own);
    this.#positions = positions;
    this.#keys = parameters.map(({ name, variadic }) => (variadic ? '' : name));
    this.#checks = parameters.map(({ is }) => is);
    this.#values = parameters.map(({ value }) => value);
    while (this.#values.length < FEW) this.#values.push(undefined);
    this.#required = parameters.filter(({ required }) => required).length;
    const list = parameters[this.#required];
    this.#variadic = !!list?.variadic;
    this.#least = this.#required + (list?.variadic && !list.open ? 1 : 0);
    if (!this.#variadic && parameters.length <= FEW) this.#exact = this.#required;
    this.#parameters = parameters;
    return parameters;
  }

  /** The values of all arguments in declared order, with undefined behind them. @throws ArgumentError */
  parse(args: readonly unknown[]): readonly unknown[] {
    const values = (args.length < 5 && this.few(args[0], args[1], args[2], args[3])) || this.match(args);
    if (typeof values === 'function') throw new ArgumentError(`${this.name}: ${values()}`);
    return values;
  }

  /** The value of the one argument that is required. @throws ArgumentError */
  one(args: readonly unknown[]): unknown {
    return args.length === 1 && this.only(args[0], undefined) ? args[0] : this.parse(args)[0];
  }

  /** As parse(), where `a` and `b` are all that is required and all that is given; else undefined. */
  only(a: unknown, b: unknown): readonly unknown[] | undefined {
    const checks = this.#checks;
    if (this.#exact !== (b === undefined ? 1 : 2)) return undefined;
    return (checks[0] as Check)(a) && (b === undefined || (checks[1] as Check)(b)) ? this.#values : undefined;
  }

  /** As parse(), of up to four arguments, without a list of them; undefined where something is wrong. */
  few(a: unknown, b: unknown, c: unknown, d: unknown): unknown[] | undefined {
    const required = this.#exact;
    if (required < 0) return undefined;
    let n = countOf(a, b, c, d);
    const last = n === 4 ? d : n === 3 ? c : n === 2 ? b : a;
    const options = n > required && isPlain(last);
    if (options) n--;
    if (
      n < required ||
      (n > 0 && !this.#right(0, a)) ||
      (n > 1 && !this.#right(1, b)) ||
      (n > 2 && !this.#right(2, c)) ||
      (n > 3 && !this.#right(3, d))
    )
      return undefined;
    const v = this.#values;
    const values = [
      // a literal, which engines make without a call
      n > 0 && a !== undefined ? a : v[0],
      n > 1 && b !== undefined ? b : v[1],
      n > 2 && c !== undefined ? c : v[2],
      n > 3 && d !== undefined ? d : v[3],
      v[4],
      v[5],
      v[6],
      v[7],
    ];
    return options && this.#take(last, values, n) ? undefined : values;
  }

  /** Whether argument `i` may be this; undefined is its default. */
  #right(i: number, value: unknown): boolean {
    if (value === undefined && i >= this.#required) return true;
    return i < this.#positions && (this.#checks[i] as Check)(value);
  }

  /** The values of all arguments in declared order, or what is wrong with them. */
  match(args: readonly unknown[]): unknown[] | Wrong {
    const parameters = this.#parameters ?? this.#read();
    const required = this.#required;
    const values = this.#values.slice();
    const options = this.#optionsOf(args);
    let end = options ? args.length - 1 : args.length;
    if (end < this.#least && (!options || this.#variadic)) return this.#missing(end);
    if (this.#variadic) {
      const list = end === required + 1 && Array.isArray(args[required]) ? args[required] : args.slice(required, end);
      const parameter = parameters[required] as Parameter;
      for (let i = 0; i < list.length; i++) if (!parameter.is(list[i])) return this.#wrong(parameter, list[i]);
      values[required] = list;
      end = required;
    }
    for (let i = 0; i < end; i++) {
      if (!this.#right(i, args[i]))
        return i < this.#positions ? this.#wrong(parameters[i] as Parameter, args[i]) : this.#tooMany(args);
      if (args[i] !== undefined) values[i] = args[i];
    }
    return (options && (this.#take(options, values, end, args) ?? this.#unnamed(values, end))) ?? values;
  }

  /** The object in the last place, if it has arguments by their names. */
  #optionsOf(args: readonly unknown[]): Record<string, unknown> | undefined {
    const at = args.length - 1;
    const last = args[at];
    if (!isPlain(last) || at >= this.#required) return isPlain(last) ? last : undefined;
    // In the place of a required one it may be that, or a wrong one.
    const names = (key: string): boolean => this.#keys.includes(key) || meant(key, this.#keys) !== undefined;
    return this.#right(at, last) || !Object.keys(last).some(names) ? undefined : last;
  }

  /** What is wrong where one that is required came neither by position nor by name. */
  #unnamed(values: readonly unknown[], end: number): Wrong | undefined {
    for (let i = end; i < this.#required; i++) if (values[i] === undefined) return this.#missing(i);
    return undefined;
  }

  /** Puts the options in their places, behind those of `end` arguments. @returns what is wrong with them */
  #take(
    options: Readonly<Record<string, unknown>>,
    values: unknown[],
    end: number,
    args?: readonly unknown[],
  ): Wrong | undefined {
    const keys = this.#keys;
    for (const key in options) {
      const value = options[key];
      if (value === undefined) continue;
      let i = 0;
      while (i < keys.length && keys[i] !== key) i++;
      if (i === keys.length) {
        if (Object.hasOwn(options, key)) return this.#unknown(key, end);
        continue;
      }
      if (i < end && (!args || args[i] !== undefined)) return this.#twice(key);
      if (!(this.#checks[i] as Check)(value))
        return this.#wrong((this.#parameters as readonly Parameter[])[i] as Parameter, value);
      values[i] = value;
    }
    return undefined;
  }

  #wrong({ name, kind, absent, value: fallback }: Parameter, value: unknown): Wrong {
    return () =>
      absent
        ? `expected no ${name} but ${describe(fallback)}, got ${describe(value)}; it is an argument of PyTorch's that is not here`
        : `expected ${phrase(kind, this.#own)} as ${name}, got ${describe(value)}`;
  }

  #twice(key: string): Wrong {
    return () => `expected ${key} once, got it by position and by name`;
  }

  #tooMany(args: readonly unknown[]): Wrong {
    const byName = this.parameters.slice(this.#positions).map(({ name }) => name);
    const listed = this.#listed();
    return () =>
      `expected ${listed ? `nothing after ${listed}` : 'no arguments'}, got ${describe(args[args.length - 1])}` +
      (byName.length > 0 ? `; ${orList(byName)} go by name, { ${byName[0]}: … }` : '');
  }

  #missing(at: number): Wrong {
    const { kind, name } = this.parameters[at] as Parameter;
    return () => `expected ${phrase(kind, this.#own)} as ${name}, got nothing; it takes ${this.#listed()}`;
  }

  #unknown(key: string, end: number): Wrong {
    const from = Math.max(end, this.#variadic ? this.#required : 0);
    const left = ({ required, absent }: Parameter, i: number): boolean => !absent && (!required || i >= from);
    const names = this.#keys.filter((name, i) => name && left(this.parameters[i] as Parameter, i));
    return () => {
      const near = meant(key, names);
      return (
        `expected ${names.length > 0 ? orList(names) : 'no options'}, got ${describe(key)}` +
        (near ? `; did you mean ${near}?` : '')
      );
    };
  }

  /** Its positions as messages list them. */
  #listed(): string {
    return this.parameters
      .slice(0, this.#positions)
      .filter(({ absent }) => !absent)
      .map(({ name }) => name)
      .join(', ');
  }
}

/** Declares what a class or a method takes; it calls `parse` with its arguments. */
/* @__NO_SIDE_EFFECTS__ */
export function signature(text: string, own?: Readonly<Record<string, Kind>>): Signature {
  return new Signature(text, own);
}

type AnyFunction = (...args: never[]) => unknown;

/** The user's own call that runs, while anybody wants to know; '' outside of all. */
let outermost: string | null = null;
export const callNow = (): string => outermost ?? '';

/** Calls `fn`, and keeps {@link callNow} up to date meanwhile. */
export function watchCalls<T>(fn: () => T): T {
  const before = outermost;
  outermost = '';
  try {
    return fn();
  } finally {
    outermost = before;
  }
}

/** Calls `fn`, which calls itself the user's own call from then on. */
function asOutermost(name: string, fn: (...args: unknown[]) => unknown, args: readonly unknown[]): unknown {
  outermost = name;
  try {
    return fn(...args);
  } finally {
    outermost = '';
  }
}

/**
 * A public function: `fn` called with the values of all arguments in declared order. Typed errors name the user's own,
 * the outermost call.
 */
export function callable<F extends AnyFunction>(text: string, fn: F, own?: Readonly<Record<string, Kind>>): F;
export function callable<F extends AnyFunction>(
  text: string,
  fn: (...args: never[]) => ReturnType<F>,
  own?: Readonly<Record<string, Kind>>,
): F;
// On the body: compilers drop overloads with what stands before them.
/* @__NO_SIDE_EFFECTS__ */
export function callable(text: string, fn: AnyFunction, own?: Readonly<Record<string, Kind>>): AnyFunction {
  const declared = signature(text, own);
  const inner = fn as (...args: unknown[]) => unknown;
  const call = (a: unknown, b: unknown, c: unknown, d: unknown, ...rest: unknown[]): unknown => {
    if (outermost === '') return asOutermost(declared.name, call as typeof inner, given(a, b, c, d, rest));
    try {
      // Most calls need no list of their arguments. What fn does not take is undefined.
      if (rest.length === 0) {
        let v = c === undefined && d === undefined ? declared.only(a, b) : undefined;
        if (v) return inner(a, b === undefined ? v[1] : b, v[2], v[3], v[4], v[5], v[6], v[7]);
        v = declared.few(a, b, c, d);
        if (v) return inner(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
      }
      const v = declared.parse(given(a, b, c, d, rest));
      return v.length > FEW ? inner(...v) : inner(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
    } catch (error) {
      throw named(error, declared.name);
    }
  };
  return nameAs(declared, call as unknown as AnyFunction);
}

/** How many of four arguments are given. */
const countOf = (a: unknown, b: unknown, c: unknown, d: unknown): number =>
  d !== undefined ? 4 : c !== undefined ? 3 : b !== undefined ? 2 : a !== undefined ? 1 : 0;

/** The arguments of a call, without those left out at the end. */
function given(a: unknown, b: unknown, c: unknown, d: unknown, rest: unknown[]): unknown[] {
  if (rest.length > 0) return [a, b, c, d, ...rest];
  const n = countOf(a, b, c, d);
  return n === 1 ? [a] : n === 2 ? [a, b] : n === 3 ? [a, b, c] : n === 4 ? [a, b, c, d] : [];
}

/** A public function that calls one of the user's: what is thrown there keeps its name. */
/* @__NO_SIDE_EFFECTS__ */
export function taking<F extends AnyFunction>(text: string, fn: (...args: never[]) => ReturnType<F>): F {
  const declared = signature(text);
  return nameAs(declared, ((...args: never[]) => fn(...(declared.parse(args) as never[]))) as unknown as F);
}

/** A public function of several forms: the first whose signature takes the arguments is called. */
/* @__NO_SIDE_EFFECTS__ */
export function alternatives<F extends AnyFunction>(
  ...forms: readonly [text: string, fn: (...args: never[]) => unknown][]
): F {
  const declared = forms.map(([text]) => signature(text));
  const first = declared[0] as Signature;
  const call = nameAs(first, (...args: unknown[]): unknown => {
    if (outermost === '') return asOutermost(first.name, call, args);
    try {
      for (let i = 0; i < forms.length; i++) {
        const values = (declared[i] as Signature).match(args);
        if (typeof values !== 'function') return (forms[i] as (typeof forms)[number])[1](...(values as never[]));
      }
    } catch (error) {
      throw named(error, first.name);
    }
    throw new ArgumentError(
      `${first.name}: expected ${orList(declared.map(({ text }) => text))}, got (${args.map(describe).join(', ')})`,
    );
  });
  for (const each of declared) each.fn = call;
  return call as unknown as F;
}

function nameAs<F>(declared: Signature, fn: F): F {
  declared.fn = fn;
  return Object.defineProperty(fn, 'name', { value: declared.name });
}

/** Has methods of a class take what `texts` declare: they are called with the values of all arguments in order. */
export function methods(type: { readonly prototype: object }, path: string, ...texts: readonly string[]): void {
  const prototype = type.prototype as Record<string, AnyFunction>;
  for (const text of texts) {
    const declared = signature(`${path}.${text}`);
    const fn = prototype[declared.name] as AnyFunction;
    const call = function (this: unknown, ...args: unknown[]): unknown {
      return fn.apply(this, declared.parse(args) as never[]);
    };
    Object.defineProperty(prototype, declared.name, { value: nameAs(declared, call) });
  }
}

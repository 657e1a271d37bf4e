// What a public callable takes, declared once and in one line, as Python writes it:
//
//   callable('dropout(x: Tensor, p: number = 0.5, training: bool = true, -inplace: bool = false)',
//     (x, p, training) => …)
//
// Arguments without a default are required. The others may be given by position, by one trailing plain object, or
// positions first and the object for the rest; `undefined` is the default. Everything else is an ArgumentError.
//
//   name: kind = default   the default is written as JSON, with single quotes; `name?: kind` has none, and is undefined
//   -name: kind = default  a position of PyTorch's that we lack: only its default may be given
//   *                      what follows it goes by name only
//   ...name: kind          one argument or more, or one list of them; it stands last among the required ones.
//                          `...name?: kind` may be none
//
// Kinds are those of kinds.ts, and of a table that is passed; `kind[]` is a list, `a|b` either, `'word'` a word.
import { type Check, isPlain, type Kind, kindOf, meant, orList, phrase } from './kinds.ts';
import { ArgumentError, describe, named } from './memory/errors.ts';

/** What is wrong with a call, told when asked: a closure in the code that finds it would slow every call. */
type Wrong = () => string;
/** One argument of a signature. */
export interface Parameter {
  readonly name: string;
  /** As the text has it. */
  readonly kind: string;
  readonly is: Check;
  readonly required: boolean;
  readonly absent: boolean;
  readonly variadic: boolean;
  /** Of variadic ones: whether there may be none. */
  readonly open: boolean;
  readonly value: unknown;
}

const PARAMETER = /(-|\.{3})?(\w+|\*)(\?)?(?:: ([^=,)]+?))?(?: = (\[[^\]]*\]|[^,)]+))?(?:, |\)$)/g;

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
  #parameters: Parameter[] | undefined;
  #defaults: unknown[] = [];
  #checks: Check[] = [];
  #required = 0;
  /** How many arguments are a call without optional ones; -1: not known yet, or any number. */
  #exact = -1;
  #positions = 0;
  #variadic = false;
  #names: Map<string, number> = new Map();

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

  #read(): Parameter[] {
    const parameters: Parameter[] = [];
    this.#positions = -1;
    for (const [, mark, name = '', open, kind = 'any', value] of this.text
      .slice(this.path.length + 1)
      .matchAll(PARAMETER)) {
      if (name === '*') {
        this.#positions = parameters.length;
        continue;
      }
      const absent = mark === '-';
      const variadic = mark === '...';
      const required = value === undefined && !open && !variadic;
      if (variadic) this.#variadic = true;
      else if (required) this.#required++;
      else this.#names.set(name, parameters.length);
      const fallback =
        value === undefined
          ? undefined
          : value.endsWith('Infinity')
            ? Number(value)
            : JSON.parse(value.replaceAll("'", '"'));
      parameters.push({
        name,
        kind,
        required,
        is: absent ? (given) => Object.is(given, fallback) : kindOf(kind, this.#own),
        absent,
        variadic,
        open: !!open,
        value: variadic ? [] : fallback,
      });
    }
    if (this.#positions < 0) this.#positions = parameters.length;
    this.#defaults = parameters.map(({ value }) => value);
    this.#checks = parameters.map(({ is }) => is);
    if (!this.#variadic) this.#exact = this.#required;
    this.#parameters = parameters;
    return parameters;
  }

  /** The values of all arguments in declared order; `args` itself where it is them. @throws ArgumentError */
  parse(args: readonly unknown[]): readonly unknown[] {
    if (args.length === this.#exact) {
      // Nothing but what is required, the most frequent call.
      const checks = this.#checks;
      let i = 0;
      while (i < args.length && (checks[i] as Check)(args[i])) i++;
      if (i === args.length) {
        if (i === checks.length) return args;
        const values = this.#defaults.slice();
        while (--i >= 0) values[i] = args[i];
        return values;
      }
    }
    const values = this.match(args);
    if (typeof values === 'function') throw new ArgumentError(`${this.name}: ${values()}`);
    return values;
  }

  /** The values of all arguments in declared order, or what is wrong with them. */
  match(args: readonly unknown[]): unknown[] | Wrong {
    const parameters = this.#parameters ?? this.#read();
    const required = this.#required;
    const values = this.#defaults.slice();
    let end = args.length;
    let options: Record<string, unknown> | undefined;
    if (end > required && isPlain(args[end - 1])) options = args[--end] as Record<string, unknown>;
    if (end < required) return this.#missing(end);
    if (this.#variadic) {
      if (end === required && !(parameters[required] as Parameter).open) return this.#missing(end);
      const list = end === required + 1 && Array.isArray(args[required]) ? args[required] : args.slice(required, end);
      const parameter = parameters[required] as Parameter;
      for (let i = 0; i < list.length; i++) if (!parameter.is(list[i])) return this.#wrong(parameter, list[i]);
      values[required] = list;
      end = required;
    }
    for (let i = 0; i < end; i++) {
      const value = args[i];
      if (value === undefined && i >= required) continue;
      if (i >= this.#positions) return this.#tooMany(args);
      if (!(this.#checks[i] as Check)(value)) return this.#wrong(parameters[i] as Parameter, value);
      values[i] = value;
    }
    return options ? this.#take(options, args, end, values) : values;
  }

  /** Puts the options where they belong among `values`. */
  #take(
    options: Readonly<Record<string, unknown>>,
    args: readonly unknown[],
    end: number,
    values: unknown[],
  ): unknown[] | Wrong {
    for (const key in options) {
      const value = options[key];
      if (value === undefined) continue;
      const place = this.#names.get(key);
      if (place === undefined) {
        if (Object.hasOwn(options, key)) return this.#unknown(key);
        continue;
      }
      if (place < end && args[place] !== undefined) return this.#twice(key);
      if (!(this.#checks[place] as Check)(value))
        return this.#wrong((this.#parameters as Parameter[])[place] as Parameter, value);
      values[place] = value;
    }
    return values;
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
    const byName = (this.#parameters as Parameter[]).slice(this.#positions).map(({ name }) => name);
    const listed = this.#listed();
    return () =>
      `expected ${listed ? `nothing after ${listed}` : 'no arguments'}, got ${describe(args[args.length - 1])}` +
      (byName.length > 0 ? `; ${orList(byName)} go by name, { ${byName[0]}: … }` : '');
  }

  #missing(at: number): Wrong {
    const parameter = (this.#parameters as Parameter[])[at] as Parameter;
    return () =>
      `expected ${phrase(parameter.kind, this.#own)} as ${parameter.name}, got nothing; it takes ${this.#listed()}`;
  }

  #unknown(key: string): Wrong {
    const names = [...this.#names.keys()].filter(
      (name) => !this.#parameters?.[this.#names.get(name) as number]?.absent,
    );
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
    return (this.#parameters as Parameter[])
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
  return nameAs(declared, (...args: unknown[]) => {
    try {
      return fn(...(declared.parse(args) as never[]));
    } catch (error) {
      throw named(error, declared.name);
    }
  });
}

/** A public function of several forms: the first whose signature takes the arguments is called. */
/* @__NO_SIDE_EFFECTS__ */
export function alternatives<F extends AnyFunction>(
  ...forms: readonly [text: string, fn: (...args: never[]) => unknown][]
): F {
  const declared = forms.map(([text]) => signature(text));
  const first = declared[0] as Signature;
  const call = nameAs(first, (...args: unknown[]) => {
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

/** P cut short anywhere; `undefined` is the default. */
export type Front<P extends readonly unknown[]> =
  | { [K in keyof P]: P[K] | undefined }
  | (P extends readonly [...infer Rest, unknown] ? Front<Rest> : never);

/** Positions P cut short anywhere, then options O. */
export type Mixed<P extends readonly unknown[], O> = [...front: Front<P>, options?: O];

/** The arguments of a constructor or method: required R, then positions P, options O, or both. */
export type Arguments<R extends readonly unknown[], P extends readonly unknown[], O> =
  | [...required: R, options?: O]
  | [...R, ...Partial<P>]
  | [...R, ...Mixed<P, O>];

/** A function of required arguments R, which takes the others by position as P, as options O, or both. */
export interface Callable<R extends readonly unknown[], P extends readonly unknown[], O, Y> {
  (...args: [...required: R, options?: O]): Y;
  (...args: [...R, ...Partial<P>]): Y;
  (...args: [...R, ...Mixed<P, O>]): Y;
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

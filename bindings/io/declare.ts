// How the functions on files are declared: some take a last argument that may be any object, and so no options.
import { bytesKind } from '../data/bytes.ts';
import { isPlain, type Kind } from '../kinds.ts';
import { named } from '../memory/errors.ts';
import { type Signature, signature } from '../signature.ts';

const own: Readonly<Record<string, Kind>> = {
  ...bytesKind,
  path: [
    (x) => typeof x === 'string' && x !== '' && !x.includes('\0'),
    'the path of a file (of a URL, fileURLToPath(url))',
  ],
  tensors: [isPlain, 'an object of tensors by name (of a module, its stateDict())'],
  texts: [isPlain, 'an object of strings by name'],
  parts: [isPlain, 'an object of parts, such as { model, optimizer }'],
};

type AnyFunction = (...args: never[]) => unknown;

const read = (texts: readonly string[], more: Readonly<Record<string, Kind>> = own): Signature[] =>
  texts.map((text) => signature(text, more));

/** The values of `args` by the form that has as many arguments; undefined in the place of the last is none. */
function parse(forms: readonly Signature[], args: readonly unknown[]): never[] {
  const [first] = forms as [Signature];
  const more = args.length > first.parameters.length;
  const given = more && args[args.length - 1] === undefined ? args.slice(0, -1) : args;
  const form = forms.find(({ parameters }) => given.length <= parameters.length) ?? (forms.at(-1) as Signature);
  return form.parse(given) as never[];
}

function nameAs<F extends AnyFunction>(forms: readonly Signature[], fn: F): F {
  for (const form of forms) form.fn = fn;
  return Object.defineProperty(fn, 'name', { value: (forms[0] as Signature).name });
}

/** A public function of the forms `texts`, which differ in how many arguments they have, fewest first. */
/* @__NO_SIDE_EFFECTS__ */
export function ofForms<F extends AnyFunction>(texts: readonly string[], fn: F): F {
  const forms = read(texts);
  return nameAs(forms, ((...args: unknown[]) => {
    try {
      return fn(...parse(forms, args));
    } catch (error) {
      throw named(error, (forms[0] as Signature).name);
    }
  }) as unknown as F);
}

/**
 * The same of a function that promises its result: whatever is wrong rejects, and nothing throws.
 * @param more kinds, in place of those of files
 */
/* @__NO_SIDE_EFFECTS__ */
export function promised<F extends AnyFunction>(
  texts: readonly string[],
  fn: F,
  more?: Readonly<Record<string, Kind>>,
): F {
  const forms = read(texts, more);
  return nameAs(forms, (async (...args: unknown[]) => {
    try {
      return await fn(...parse(forms, args));
    } catch (error) {
      throw named(error, (forms[0] as Signature).name);
    }
  }) as unknown as F);
}

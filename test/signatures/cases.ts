// What may be wrong in a call, derived from what a callable declares.
import { from, Tokenizer } from '../../bindings/data/index.ts';
import { distributions, nn, ones, optim, tensor } from '../../bindings/index.ts';
import { isPlain } from '../../bindings/kinds.ts';
import type { Parameter } from '../../bindings/parameters.ts';
import type { Signature } from '../../bindings/signature.ts';

/** A call that is refused, and what its message holds beside the name of the callable. */
export interface Wrong {
  readonly what: string;
  readonly args: readonly unknown[];
  readonly says: RegExp;
}

/** What passes for TensorFlow.js, and for a tensor of it, until it is used. */
class TensorFlowLike {
  engine(): object {
    return {};
  }
}
class TensorFlowTensorLike {
  dataId = {};
  shape = [];
  dtype = 'float32';
}

/** Values of every kind that arguments may have. */
function pool(): unknown[] {
  const layer = new nn.Linear(1, 1);
  const schedule = new optim.lrScheduler.StepLR(new optim.SGD(layer.parameters()), 1);
  return [
    ...[ones([2]), 1, 0.5, true, 'name', () => layer, [1], [0.5], ['name'], [ones([2])], null],
    ...[tensor([1], { dtype: 'i32' }), 2, -1, 0, false, 'f32', 'i32', [], [[1]], [true], [() => layer], [null]],
    // Functions that do nothing when they are called.
    ...[class {}, function* () {}, async function* () {}],
    ...[new TensorFlowLike(), new TensorFlowTensorLike()],
    ...[layer, [layer], new optim.SGD(layer.parameters(), { lr: 0.1 }), new Map(), new Date(0), 3n, Symbol('name')],
    ...[
      new distributions.Normal(0, 1),
      new Uint8Array(1),
      new Float32Array(1),
      new Int32Array(1),
      new ArrayBuffer(1),
      Number.NaN,
      undefined,
    ],
    ...[{ name: ones([1]) }, { name: layer }, { name: 'text' }],
    ...[schedule, [schedule]],
    nn.utils.rnn.packSequence([ones([2, 1])]),
    from([1]),
    new Tokenizer({ model: { type: 'WordLevel', vocab: { a: 0 } } }),
    { model: layer }, // the last, since an object in the last place is options
  ];
}

/** Values that an argument takes: words that its kind lists first, then those of the pool; not its default. */
const valid = (parameter: Parameter, values: readonly unknown[]): unknown[] =>
  [...parameter.kind.matchAll(/'([^']*)'/g)]
    .map(([, word]): unknown => word)
    .concat(values)
    .filter((value) => value !== undefined && !Object.is(value, parameter.value) && parameter.is(value));

const invalid = ({ is }: Parameter, values: readonly unknown[]): unknown[] =>
  values.filter((value) => value !== undefined && !is(value) && !isPlain(value));

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A name with one letter wrong, in its middle. */
const misspelt = (name: string): string => {
  const at = name.length >> 1;
  return name.slice(0, at) + (name[at] === 'q' ? 'z' : 'q') + name.slice(at + 1);
};

/** The arguments before the optional ones, one each. */
function leading(signature: Signature, values: readonly unknown[]): unknown[] | undefined {
  const required = signature.parameters.filter(({ required: needed, variadic }) => needed || variadic);
  const first = required.map((parameter) => valid(parameter, values)[0]);
  return first.includes(undefined) ? undefined : first;
}

/** Calls with all positions and those with all names, whose parsed arguments must be the same. */
export function* equal(signature: Signature): Generator<{ name: string; position: unknown[]; named: unknown[] }> {
  const values = pool();
  const first = leading(signature, values);
  const { parameters, positions } = signature;
  if (!first) return;
  if (!parameters.some(({ variadic }) => variadic))
    for (const at of first.keys()) {
      // An object that is one of the arguments is no list of names.
      if (parameters[at]?.is({})) continue;
      const named = Object.fromEntries(first.slice(at).map((value, i) => [parameters[at + i]?.name, value]));
      yield { name: `all from ${parameters[at]?.name}`, position: [...first], named: [...first.slice(0, at), named] };
    }
  for (const [i, parameter] of parameters.entries()) {
    if (i < first.length || i >= positions || parameter.absent || parameters.some(({ variadic }) => variadic)) continue;
    for (const value of valid(parameter, values).slice(0, 3)) {
      const skipped = new Array<undefined>(i - first.length).fill(undefined);
      yield {
        name: parameter.name,
        position: [...first, ...skipped, value],
        named: [...first, { [parameter.name]: value }],
      };
    }
  }
}

/** What a case needs to know of a signature. */
interface Known {
  readonly signature: Signature;
  readonly values: readonly unknown[];
  /** One value for each argument before the optional ones. */
  readonly first: readonly unknown[];
  /** What messages say; a callable of several forms says which there are. */
  says(text: RegExp): RegExp;
}

/** Every kind of wrong call. @throws Error where no value of a required kind is known */
export function* wrong(signature: Signature, alone: boolean): Generator<Wrong> {
  const values = pool();
  const first = leading(signature, values);
  if (!first) throw new Error(`${signature.text}: expected a value of each kind, got none; add it to the pool`);
  const known: Known = { signature, values, first, says: (text) => (alone ? text : /expected/) };
  yield* numbers(known);
  yield* keys(known);
  for (const i of signature.parameters.keys()) yield* ofArgument(known, i);
}

const isVariadic = ({ parameters }: Signature): boolean => parameters.some(({ variadic }) => variadic);
const gap = ({ first }: Known, i: number): undefined[] => new Array(Math.max(0, i - first.length)).fill(undefined);

/** Too few arguments, and one too many. */
function* numbers({ signature, first, says }: Known): Generator<Wrong> {
  const { parameters, positions } = signature;
  for (const [n, { name, variadic }] of parameters.slice(0, first.length).entries())
    if (!variadic)
      yield { what: `no ${name}`, args: first.slice(0, n), says: says(new RegExp(`as ${name}, got nothing`)) };
  if (isVariadic(signature)) return;
  const full = [...first, ...parameters.slice(first.length, positions).map(({ value }) => value)];
  const nothing = says(/expected (no arguments|nothing after ([\w, ]+)), got /);
  yield { what: 'one too many', args: [...full, ones([1])], says: nothing };
  yield { what: 'one too many, before options', args: [...full, ones([1]), {}], says: says(/expected/) };
}

/** Keys that there are not, and the ones that were meant. */
function* keys({ signature, first, says }: Known): Generator<Wrong> {
  yield { what: 'an unknown key', args: [...first, { zzzzzzzz: 1 }], says: says(/, got 'zzzzzzzz'$/) };
  for (const { name, absent } of signature.parameters.slice(first.length)) {
    if (absent) continue;
    const meant = says(new RegExp(`got '.*'; did you mean ${name}\\?`));
    for (const key of [snake(name), ...(name.length > 3 ? [misspelt(name)] : [])])
      if (key !== name) yield { what: key, args: [...first, { [key]: 1 }], says: meant };
  }
}

/** Wrong kinds of an argument by position and by name, and the argument by both. */
function* ofArgument(known: Known, i: number): Generator<Wrong> {
  const { signature, values, first, says } = known;
  const parameter = signature.parameters[i] as Parameter;
  const { name, absent, variadic } = parameter;
  const placed = i < signature.positions;
  const refused = says(absent ? new RegExp(`expected no ${name} but `) : new RegExp(`expected .* as ${name}, got`));
  const skipped = gap(known, i);
  for (const value of invalid(parameter, values)) {
    const what = `${name}: ${typeof value === 'object' && value ? value.constructor.name : String(value)}`;
    if (placed && !(variadic && Array.isArray(value)))
      yield { what, args: [...first.slice(0, i), ...skipped, value, ...first.slice(i + 1)], says: refused };
    if (i >= first.length) yield { what: `{ ${what} }`, args: [...first, { [name]: value }], says: refused };
  }
  const [value] = valid(parameter, values);
  if (i >= first.length && placed && !absent && value !== undefined && !isVariadic(signature))
    yield {
      ...{ what: `${name} twice`, args: [...first, ...skipped, value, { [name]: value }] },
      says: says(new RegExp(`expected ${name} once, got it by position and by name`)),
    };
}

// Walks the public surface: every callable declares what it takes, and refuses everything else by an ArgumentError
// that begins with its name. The cases are derived from the declarations.
import { afterAll, describe, expect, it } from 'vitest';
import { parquet } from '../../bindings/data/index.ts';
import { ArgumentError, compile, init, profile, shutdown, Tensor } from '../../bindings/index.ts';
import { signatures } from '../../bindings/signature.ts';
import { makers } from '../support/makers.ts';
import { surface } from '../support/surface.ts';
import { equal, type Wrong, wrong } from './cases.ts';

await init({ simd: 'strict' });
afterAll(() => shutdown());

/** Wrong calls change nothing, so that one object of each class will do for all. */
const once = (make: () => object): (() => object) => {
  let made: object | undefined;
  return () => {
    made ??= make();
    return made;
  };
};
const receivers = Object.fromEntries(Object.entries(makers()).map(([name, make]) => [name, once(make)]));

const given = { Compiled: compile(() => {}), Profile: profile(() => {}), TableFile: parquet(new Uint8Array()) };
const all = surface(receivers, given);
const declared = all.filter((each) => each.signatures.length > 0);

/** What declares nothing, and why. */
const UNDECLARED: Readonly<Record<string, string>> = {
  ...{
    'nn.Module': 'is extended',
    'nn.Layer': 'is extended',
    'nn.Activation': 'is extended',
    'optim.Optimizer': 'is extended',
    'autograd.Function': 'is extended',
    'autograd.Function.apply': 'takes what its forward takes',
    'optim.swaUtils.AveragedModel.forward': 'takes what that of its model takes',
    'distributed.DataParallel.forward': 'takes what that of its model takes',
  },
  Tensor: 'is made by functions',
  SparseTensor: 'is made by backward()',
  ...{
    'Tensor.toString': 'JavaScript calls it',
    'SparseTensor.toString': 'JavaScript calls it',
    'Tensor.toJSON': 'JavaScript calls it',
    'nn.Module.toString': 'JavaScript calls it',
  },
  'tfjs.configure': 'takes what init() takes',
  ...{
    'train.Trainer.trainingStep': 'is overridden',
    'train.Trainer.validationStep': 'is overridden',
    'train.Trainer.predictStep': 'is overridden',
  },
  ...{ 'nn.ModuleList.forward': 'throws', 'nn.ModuleDict.forward': 'throws', 'nn.ParameterList.forward': 'throws' },
};
/** toString() calls it, and users write their own. */
const WRITTEN = /^nn\.\w+\.extraRepr$/;

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

/** What is taken, though a signature can't say so. */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
  'nn.Sequential': ['layers: Map'], // its values are layers
  'nn.ModuleDict': ['no modules'], // an object is no option, so that it is required
  'nn.ParameterDict': ['no values'],
};

let cases = 0;
afterAll(() => console.log(`${all.length} callables, ${signatures.length} signatures, ${cases} cases`));

it('declares what every callable takes', () => {
  const missing = all.filter((each) => each.signatures.length === 0).map(({ place }) => place);
  expect(missing.filter((place) => !(place in UNDECLARED) && !WRITTEN.test(place))).toEqual([]);
  expect(Object.keys(UNDECLARED).filter((place) => !missing.includes(place))).toEqual([]);
});

it('declares nothing twice, and nothing that is not public', () => {
  const of = new Map<string, Set<unknown>>();
  for (const { signatures: own, fn, derived } of declared)
    for (const { text } of derived ? [] : own) of.set(text, (of.get(text) ?? new Set()).add(fn));
  expect([...of].filter(([, fns]) => fns.size > 1).map(([text]) => text)).toEqual([]);
  const used = new Set(declared.flatMap((each) => each.signatures));
  expect(signatures.filter((each) => !used.has(each)).map(({ text }) => text)).toEqual([]);
});

describe.each(declared.map((each) => [each.place, each] as const))(
  '%s',
  (place, { call, signatures: own, derived }) => {
    const name = own[0]?.name as string;
    /** What is wrong with how a wrong call is refused; undefined: nothing. */
    const fault = async ({ what, args, says }: Wrong): Promise<string | undefined> => {
      cases++;
      try {
        await call(args);
      } catch (error) {
        if (!(error instanceof ArgumentError)) return `${what}: ${error}`;
        // What a layer gets is refused in the name of its class.
        const [before = ''] = error.message.split(': ');
        const named = before === name || (name === 'forward' && /^[A-Z]\w*$/.test(before));
        return named && says.test(error.message) ? undefined : `${what}: ${error.message}`;
      }
      return TAKEN[place]?.includes(what) ? undefined : `${what}: taken`;
    };

    it.each(own.map((each) => [each.text, each] as const))('%s', async (_text, signature) => {
      const faults: (string | undefined)[] = [];
      for (const each of wrong(signature, own.length === 1)) {
        // What another form takes is not wrong.
        const taken = own.some((other) => other !== signature && typeof other.match(each.args) !== 'function');
        if (!taken && (!derived || each.args[0] instanceof Tensor)) faults.push(await fault(each));
      }
      for (const { name: of, position, named } of equal(signature)) {
        cases++;
        if (!same(signature.parse(position), signature.parse(named)))
          faults.push(`${of} by position is another than by name`);
      }
      expect(faults.filter(Boolean)).toEqual([]);
    });
  },
);

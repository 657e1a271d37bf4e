// Every class of nn: what it takes, prints, saves and loads, and what it refuses.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { ArgumentError, nn, ones, randn, type Tensor } from '../../bindings/index.ts';
import { type Signature, signatures } from '../../bindings/signature.ts';
import { bits } from '../support/tensors.ts';
import { type Case, type Concrete, cases, givenTo } from './class-cases.ts';

type AnyClass = new (...args: unknown[]) => nn.Module & { forward(...args: unknown[]): unknown };
const named = Object.entries(cases) as [Concrete, Case][];
const classOf = (name: Concrete): AnyClass => nn[name] as unknown as AnyClass;
const make = (name: Concrete): InstanceType<AnyClass> => new (classOf(name))(...cases[name].args);
const signatureOf = (path: string): Signature => {
  const found = signatures.filter((declared) => declared.path === path);
  expect(found, path).toHaveLength(1);
  return found[0] as Signature;
};
/** A value that is of no kind of an argument. */
const WRONG = new (class Foreign {})();

beforeAll(() => rg.init({ simd: 'strict' }));
afterAll(() => rg.shutdown());

it('has a case for every class, but for those that only others are made of', () => {
  const classes = Object.entries(nn).filter(
    ([, value]) => typeof value === 'function' && value.prototype instanceof nn.Module,
  );
  const abstract = ['Activation', 'Layer'];
  expect(classes.map(([name]) => name).sort()).toEqual([...named.map(([name]) => name), ...abstract].sort());
});

it('activations are made of their classes', () => {
  const Base = nn.Activation as unknown as new () => nn.Activation;
  expect(() => new Base()).toThrow(/^Activation: expected one of the classes made of it/);
});

describe.each(named)('%s', (name, { input, shown }) => {
  // What a case makes for its arguments needs the kernels.
  const argsOf = (): readonly unknown[] => cases[name].args;
  it('prints its name, its settings and how many numbers it trains', () => {
    const module = make(name);
    const count = module.parameters().reduce((sum, { size }) => sum + size, 0);
    const tail = count > 0 ? `, ${count} parameters` : '';
    if (module.children().length === 0) expect(String(module)).toBe(`${name}(${shown})${tail}`);
    else {
      // Layers inside stand below the settings.
      const lines = String(module).split('\n');
      expect([lines[0], lines.at(-1)]).toEqual([`${name}(`, `)${tail}`]);
      if (shown) expect(lines[1]?.trim()).toBe(shown);
    }
  });

  it('saves and loads', () => {
    const [from, to] = [make(name), make(name)];
    for (const x of Object.values(from.stateDict())) rg.noGrad(() => x.fill_(3));
    expect(to.loadStateDict(from.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(Object.entries(to.stateDict()).map(([key, x]) => [key, bits(x)])).toEqual(
      Object.entries(from.stateDict()).map(([key, x]) => [key, bits(x)]),
    );
    from.dispose();
    to.dispose();
  });

  it('takes the same by position and by name', () => {
    const declared = signatureOf(name);
    const required = declared.parameters.filter((parameter) => parameter.required).length;
    if (declared.parameters.some(({ variadic }) => variadic)) return;
    const args = argsOf();
    const values = args.length === 0 ? [] : (declared.parse(args) as unknown[]);
    const present = declared.parameters.map((parameter, i) => ({
      ...parameter,
      at: i < values.length ? values[i] : parameter.value,
    }));
    const byPosition = new (classOf(name))(...present.slice(0, declared.positions).map(({ at }) => at));
    const options = Object.fromEntries(
      present.slice(required).flatMap(({ name: key, at, absent }) => (absent ? [] : [[key, at]])),
    );
    const byName = new (classOf(name))(...present.slice(0, required).map(({ at }) => at), options);
    expect(String(byPosition)).toBe(String(make(name)));
    expect(String(byName)).toBe(String(make(name)));
  });

  it('refuses what it does not know, in its own name', () => {
    const declared = signatureOf(name);
    const { parameters } = declared;
    const given = argsOf().filter(
      (arg) => !(arg && typeof arg === 'object' && !Array.isArray(arg)) || name.endsWith('Dict'),
    );
    const needed = given.slice(0, parameters.filter((parameter) => parameter.required).length);
    const refused = (what: string, ...all: unknown[]): void => {
      expect(() => new (classOf(name))(...all), what).toThrow(ArgumentError);
      expect(() => new (classOf(name))(...all), what).toThrow(new RegExp(`^(${name}|constructor|update): `));
    };
    if (name !== 'Sequential') refused('an unknown key', ...needed, { nope: 1 });
    parameters.forEach((parameter, i) => {
      if (parameter.kind === 'any' && !parameter.absent) return;
      const before = parameters.slice(0, i).map((other, j) => needed[j] ?? other.value);
      refused(`a wrong kind as ${parameter.name}`, ...before, WRONG);
      if (!parameter.required && !parameter.variadic)
        refused(`a wrong kind as ${parameter.name}, by name`, ...needed, { [parameter.name]: WRONG });
      if (!parameter.required && !parameter.variadic && parameter.name.length > 3)
        refused(`${parameter.name} misspelt`, ...needed, { [`${parameter.name}x`]: parameter.value });
    });
    if (!parameters.some(({ variadic }) => variadic))
      refused('one too many', ...parameters.map(({ value }, i) => needed[i] ?? value), undefined, 1);
  });

  it('computes what it is for, and refuses other inputs in its own name', () => {
    const module = make(name);
    if (!input) {
      expect(() => module.forward()).toThrow(new RegExp(`^${name}: expected a module that computes`));
      return;
    }
    const given = givenTo(cases[name]);
    const x = given[0] as Tensor;
    const y = module.forward(...given);
    expect(Array.isArray(y) ? y[0] : y).toBeInstanceOf(rg.Tensor);
    for (const wrong of [[], [[[1, 2]]], [1], [null], [undefined], ['x'], [WRONG], [...given, WRONG]]) {
      expect(() => module.forward(...wrong)).toThrow(ArgumentError);
      expect(() => module.forward(...wrong)).toThrow(new RegExp(`^${name}: expected`));
    }
    x.dispose();
    if (name !== 'Identity' && name !== 'Sequential' && name !== 'Dropout')
      expect(() => module.forward(...given)).toThrow(rg.RetrogradError);
    if (module.parameters().length === 0) return;
    expect(() => module.forward(randn([7]), ...given.slice(1))).toThrow(new RegExp(`^${name}: expected`));
  });

  it('is known to summary() and has hooks', () => {
    if (!input) return;
    const module = make(name);
    const shapes: unknown[] = [];
    const handle = module.registerForwardHook(
      (_, __, y) => void shapes.push([y].flat(2).map((x) => (x as Tensor).shape)),
    );
    const given = cases[name].given?.() ?? input;
    const before = [bits(ones([1])), ...rg.getRngState(), ...Object.values(module.stateDict()).map(bits)];
    const { rows, parameters } = nn.summary(module, given);
    const own = module.parameters(false).reduce((sum, { size }) => sum + size, 0);
    expect(rows[0]).toMatchObject({ path: '', type: name, outputShapes: shapes[0], parameters: own });
    expect(parameters).toBe(module.parameters().reduce((sum, { size }) => sum + size, 0));
    expect([bits(ones([1])), ...rg.getRngState(), ...Object.values(module.stateDict()).map(bits)]).toEqual(before);
    expect(module.training).toBe(true);
    handle.remove();
  });
});

it('every method of modules has a signature, and refuses arguments that it does not know', () => {
  const module = new nn.Linear(1, 1) as unknown as Record<string, (...args: unknown[]) => unknown>;
  const methods = Object.getOwnPropertyNames(nn.Module.prototype).filter(
    (name) => typeof Object.getOwnPropertyDescriptor(nn.Module.prototype, name)?.value === 'function',
  );
  // What users define or JavaScript calls, and what the package calls itself.
  const others = ['constructor', 'extraRepr', 'toString', 'prepareStateDict'];
  const declared = signatures.flatMap(({ path }) => (path.startsWith('Module.') ? [path.slice(7)] : []));
  expect(methods.filter((name) => !others.includes(name)).sort()).toEqual(declared.sort());
  for (const name of declared) {
    const { parameters } = signatureOf(`Module.${name}`);
    const call =
      (...args: unknown[]) =>
      () =>
        (module[name] as (...args: unknown[]) => unknown)(...args);
    expect(call(...parameters.map(() => undefined), undefined, 1), name).toThrow(ArgumentError);
    if (parameters.length > 0) expect(call(WRONG), name).toThrow(new RegExp(`^${name}: expected`));
    expect(call(...parameters.filter(({ required }) => required).map(() => WRONG), { nope: 1 }), name).toThrow(
      ArgumentError,
    );
  }
});

/** What shapes parameters or buffers, and so holds from the constructor on. */
const SHAPING =
  /^((in|out)[12]?(Features|Channels)|(input|hidden|proj)Size|num\w+|bidirectional|embeddingDim|paddingIdx|init|normalizedShape|bias|affine|elementwiseAffine|layers)$/;

/** Other values that a setting may have. */
function othersOf({ kind, value }: Signature['parameters'][number], now: unknown): unknown[] {
  const words = [...kind.matchAll(/'(\w+)'/g)].map(([, word]) => word);
  const flags = kind.includes('bool') ? [true, false] : [];
  const numbers = /int|number|sizes/.test(kind) ? [1, 2, 0.5] : [];
  return [...words, ...flags, ...numbers].filter((other) => other !== now && other !== value);
}

describe('settings of layers', () => {
  it('are fields, and what is written there holds from the next call on, as if it had been given', () => {
    let compared = 0;
    for (const [name, { args, input }] of Object.entries(cases) as [Concrete, Case][]) {
      // What modules of layers are set to, their layers have.
      if (!input || make(name).children().length > 0) continue;
      const declared = signatures.find(({ path }) => path === name) as Signature;
      const values = declared.parse(args);
      const Class = nn[name] as unknown as new (...args: unknown[]) => nn.Layer;
      const outcome = (make: () => nn.Layer): string => {
        rg.manualSeed(5);
        try {
          const layer = make();
          rg.manualSeed(6);
          const given = givenTo(cases[name]) as [Tensor];
          // Recurrent layers give their states as well.
          const first = (y: Tensor | readonly Tensor[]): string =>
            bits(Array.isArray(y) ? (y[0] as Tensor) : (y as Tensor));
          const left = [first(layer.forward(...given)), first(layer.eval().forward(...given)), layer.extraRepr()];
          return [...left, ...Object.values(layer.stateDict()).map(bits)].join('\n');
        } catch (error) {
          return (error as Error).name;
        }
      };
      declared.parameters.forEach((parameter, i) => {
        if (parameter.absent || SHAPING.test(parameter.name)) return;
        expect(Reflect.has(new Class(...args), parameter.name), `${name}.${parameter.name}`).toBe(true);
        for (const other of othersOf(parameter, values[i])) {
          const all = values.map((value, j) => (j === i ? other : value));
          const named = declared.parameters
            .slice(declared.positions)
            .map(({ name: key }, j) => [key, all[declared.positions + j]]);
          const options = named.length > 0 ? [Object.fromEntries(named)] : [];
          const given = outcome(() => new Class(...all.slice(0, declared.positions), ...options));
          // Buffers that a layer was made with stay, and kernels keep their shape.
          if (
            parameter.name === 'trackRunningStats' ||
            (name.startsWith('Conv') && /kernelSize|groups/.test(parameter.name))
          )
            continue;
          const set = outcome(() => {
            const layer = new Class(...args);
            Reflect.set(layer, parameter.name, other);
            return layer;
          });
          expect(set, `${name}.${parameter.name} = ${other}`).toBe(given);
          compared++;
        }
      });
    }
    expect(compared).toBeGreaterThan(80);
  });

  it('trackRunningStats stops and starts the running statistics of batch norm, as in PyTorch', () => {
    const layer = new nn.BatchNorm1d(3);
    const x = randn([2, 3, 5]);
    layer.trackRunningStats = false;
    const y = layer.forward(x);
    expect(layer.runningMean?.toArray()).toEqual([0, 0, 0]);
    expect(layer.numBatchesTracked?.item()).toBe(0);
    layer.trackRunningStats = true;
    expect(bits(layer.forward(x))).toBe(bits(y));
    expect(layer.runningMean?.toArray()).not.toEqual([0, 0, 0]);
  });
});

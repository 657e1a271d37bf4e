// Every class of nn: what it takes, prints, saves and loads, and what it refuses.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { ArgumentError, nn, ones, rand, randn, type Tensor } from '../../bindings/index.ts';
import { type Signature, signatures } from '../../bindings/signature.ts';
import { bits } from '../support/tensors.ts';
import { transformerCases } from './transformer-cases.ts';

type Exports = typeof nn;
type Classes = {
  [K in keyof Exports]: Exports[K] extends { readonly prototype: nn.Module } ? K : never;
}[keyof Exports];
type Concrete = Exclude<Classes, 'Module' | 'Layer' | 'Activation' | 'Parameter' | 'Buffer' | 'summary'>;

/** How one is made, and what it is given: a shape, several, or null where it computes nothing. */
interface Case {
  readonly args: readonly unknown[];
  readonly input: readonly number[] | null;
  /** All that forward is given, where that is not one f32 tensor of the shape `input`. */
  readonly given?: () => Tensor[];
  /** What it says between its brackets. */
  readonly shown: string | RegExp;
}
const givenTo = ({ input, given }: Case): Tensor[] => given?.() ?? [randn(input as number[])];
const activation = (shown = ''): Case => ({ args: [], input: [3, 4], shown });
const norm = (input: readonly number[], affine: boolean): Case => ({
  args: [4],
  input,
  shown: `numFeatures: 4, eps: 0.00001, momentum: 0.1, affine: ${affine}, trackRunningStats: ${affine}`,
});
/** A loss of numbers [3, 4] and, unless others are given, a target of that shape; all from 0 to 1. */
const loss = (shown = '', ...rest: (() => Tensor)[]): Case => ({
  ...{ args: [], input: [3, 4], shown },
  given: () => [rand([3, 4]), ...(rest.length > 0 ? rest : [() => rand([3, 4])]).map((made) => made())],
});
const classes = (): Tensor => rg.randint(0, 4, [3]);
const vectors = (): Tensor => randn([3, 4]);
const cases: { readonly [K in Concrete]: Case } = {
  AdaptiveAvgPool1d: { args: [2], input: [1, 2, 6], shown: 'outputSize: 2' },
  AdaptiveAvgPool2d: { args: [[1, null]], input: [1, 2, 6, 6], shown: 'outputSize: [1, null]' },
  AdaptiveMaxPool1d: { args: [null], input: [1, 2, 6], shown: 'outputSize: null' },
  AdaptiveMaxPool2d: { args: [[2, 3]], input: [1, 2, 6, 6], shown: 'outputSize: [2, 3]' },
  AvgPool1d: { args: [2], input: [1, 2, 6], shown: 'kernelSize: 2' },
  AvgPool2d: { args: [2, { stride: 1 }], input: [1, 2, 6, 6], shown: 'kernelSize: 2, stride: 1' },
  BatchNorm1d: norm([3, 4], true),
  BatchNorm2d: norm([3, 4, 2, 2], true),
  CircularPad1d: { args: [1], input: [1, 2, 6], shown: 'padding: 1' },
  ConstantPad1d: { args: [1, 0.5], input: [1, 2, 6], shown: 'padding: 1, value: 0.5' },
  CircularPad2d: { args: [1], input: [1, 2, 5, 6], shown: 'padding: 1' },
  ConstantPad2d: { args: [1, 0.5], input: [1, 2, 5, 6], shown: 'padding: 1, value: 0.5' },
  CircularPad3d: { args: [1], input: [1, 2, 4, 5, 6], shown: 'padding: 1' },
  ConstantPad3d: { args: [1, 0.5], input: [1, 2, 4, 5, 6], shown: 'padding: 1, value: 0.5' },
  Conv1d: { args: [2, 4, 3], input: [1, 2, 8], shown: 'inChannels: 2, outChannels: 4, kernelSize: 3' },
  Conv2d: {
    args: [2, 4, [3, 1], 2, { padding: 1, bias: false }],
    input: [1, 2, 8, 8],
    shown: 'inChannels: 2, outChannels: 4, kernelSize: [3, 1], stride: 2, padding: 1, bias: false',
  },
  Conv3d: { args: [2, 4, 2], input: [1, 2, 4, 4, 4], shown: 'inChannels: 2, outChannels: 4, kernelSize: 2' },
  ConvTranspose1d: { args: [2, 4, 3], input: [1, 2, 8], shown: 'inChannels: 2, outChannels: 4, kernelSize: 3' },
  ConvTranspose2d: {
    args: [2, 4, 3, 2, 1, 1],
    input: [1, 2, 8, 8],
    shown: 'inChannels: 2, outChannels: 4, kernelSize: 3, stride: 2, padding: 1, outputPadding: 1',
  },
  Dropout: { args: [], input: [3, 4], shown: 'p: 0.5' },
  ELU: activation(),
  Embedding: {
    args: [9, 3],
    input: [2, 4],
    given: () => [rg.randint(0, 9, [2, 4])],
    shown: 'numEmbeddings: 9, embeddingDim: 3',
  },
  EmbeddingBag: {
    args: [9, 3, { mode: 'sum' }],
    input: [2, 4],
    given: () => [rg.randint(0, 9, [2, 4])],
    shown: "numEmbeddings: 9, embeddingDim: 3, mode: 'sum'",
  },
  Flatten: { args: [], input: [3, 4, 2], shown: 'startDim: 1, endDim: -1' },
  GELU: activation(),
  GRU: { args: [4, 3, { batchFirst: true }], input: [2, 5, 4], shown: 'inputSize: 4, hiddenSize: 3, batchFirst: true' },
  GRUCell: { args: [4, 3], input: [2, 4], shown: 'inputSize: 4, hiddenSize: 3, bias: true' },
  GroupNorm: { args: [2, 4], input: [3, 4, 2], shown: 'numGroups: 2, numChannels: 4, eps: 0.00001, affine: true' },
  Hardtanh: activation(),
  Identity: activation(),
  InstanceNorm1d: norm([3, 4, 2], false),
  InstanceNorm2d: norm([3, 4, 2, 2], false),
  LSTM: {
    args: [4, 3, 2, { dropout: 0.5, bidirectional: true, projSize: 2 }],
    input: [5, 2, 4],
    shown: 'inputSize: 4, hiddenSize: 3, numLayers: 2, dropout: 0.5, bidirectional: true, projSize: 2',
  },
  LSTMCell: { args: [4, 3], input: [2, 4], shown: 'inputSize: 4, hiddenSize: 3, bias: true' },
  LayerNorm: {
    args: [[4]],
    input: [3, 4],
    shown: 'normalizedShape: [4], eps: 0.00001, elementwiseAffine: true, bias: true',
  },
  LeakyReLU: { args: [0.2], input: [3, 4], shown: 'negativeSlope: 0.2' },
  Linear: { args: [4, 3], input: [2, 4], shown: 'inFeatures: 4, outFeatures: 3, bias: true' },
  LogSoftmax: activation(),
  MaxPool1d: { args: [2], input: [1, 2, 6], shown: 'kernelSize: 2' },
  MaxPool2d: { args: [2], input: [1, 2, 6, 6], shown: 'kernelSize: 2' },
  Mish: activation(),
  ModuleDict: { args: [{}], input: null, shown: '' },
  ModuleList: { args: [[]], input: null, shown: '' },
  ParameterDict: { args: [{}], input: null, shown: '' },
  ParameterList: { args: [[]], input: null, shown: '' },
  RNN: {
    args: [4, 3, { nonlinearity: 'relu' }],
    input: [5, 2, 4],
    shown: "inputSize: 4, hiddenSize: 3, nonlinearity: 'relu'",
  },
  RNNCell: { args: [4, 3], input: [2, 4], shown: "inputSize: 4, hiddenSize: 3, bias: true, nonlinearity: 'tanh'" },
  ReLU: activation(),
  ReflectionPad1d: { args: [1], input: [1, 2, 6], shown: 'padding: 1' },
  ReplicationPad1d: { args: [1], input: [1, 2, 6], shown: 'padding: 1' },
  ReflectionPad2d: { args: [1], input: [1, 2, 5, 6], shown: 'padding: 1' },
  ReplicationPad2d: { args: [1], input: [1, 2, 5, 6], shown: 'padding: 1' },
  ReflectionPad3d: { args: [1], input: [1, 2, 4, 5, 6], shown: 'padding: 1' },
  ReplicationPad3d: { args: [1], input: [1, 2, 4, 5, 6], shown: 'padding: 1' },
  SELU: activation(),
  Sequential: { args: [], input: [3, 4], shown: '' },
  SiLU: activation(),
  Sigmoid: activation(),
  Softmax: { args: [{ dim: 1 }], input: [3, 4], shown: 'dim: 1' },
  Softplus: activation(),
  Softsign: activation(),
  Tanh: activation(),
  BCELoss: loss(),
  BCEWithLogitsLoss: loss(),
  CosineEmbeddingLoss: loss('', vectors, () => ones([3])),
  CosineSimilarity: loss(),
  CrossEntropyLoss: { ...loss('labelSmoothing: 0.1', classes), args: [{ labelSmoothing: 0.1 }] },
  GaussianNLLLoss: loss('', vectors, () => rand([3, 4])),
  HingeEmbeddingLoss: { ...loss('margin: 2'), args: [2] },
  HuberLoss: { ...loss("reduction: 'sum', delta: 0.5"), args: ['sum', { delta: 0.5 }] },
  KLDivLoss: loss(),
  L1Loss: loss(),
  MSELoss: { ...loss("reduction: 'none'"), args: [{ reduction: 'none' }] },
  MarginRankingLoss: loss('', vectors, vectors),
  MultiLabelMarginLoss: loss('', () => rg.randint(0, 4, [3, 4])),
  MultiLabelSoftMarginLoss: loss(),
  MultiMarginLoss: loss('', classes),
  NLLLoss: loss('', classes),
  PairwiseDistance: loss(),
  PoissonNLLLoss: loss(),
  SmoothL1Loss: loss(),
  SoftMarginLoss: loss(),
  TripletMarginLoss: loss('', vectors, vectors),
  TripletMarginWithDistanceLoss: loss('', vectors, vectors),
  ...transformerCases,
  ZeroPad1d: { args: [1], input: [1, 2, 6], shown: 'padding: 1' },
  ZeroPad2d: { args: [1], input: [1, 2, 5, 6], shown: 'padding: 1' },
  ZeroPad3d: { args: [1], input: [1, 2, 4, 5, 6], shown: 'padding: 1' },
};

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
  /^((in|out)(Features|Channels)|(input|hidden|proj)Size|num\w+|bidirectional|embeddingDim|paddingIdx|normalizedShape|bias|affine|elementwiseAffine|layers)$/;

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

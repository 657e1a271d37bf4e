// What loadOnnx takes and refuses: functions, control flow, cuts, and faults by their names.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  compile,
  DtypeError,
  FormatError,
  init,
  noGrad,
  RecordingError,
  ShapeError,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';
import { ATTRIBUTE, DATA, type Draft } from '../../bindings/onnx/messages.ts';
import { floats, model, node, value, whole } from './build.ts';

beforeAll(() => init({ threads: 1 }));
afterAll(() => shutdown());

/** x [n, 2] to y [n, 2]. */
const graph = (nodes: Draft<'NodeProto'>[], initializer: Draft<'TensorProto'>[] = []): Draft<'GraphProto'> => ({
  node: nodes,
  input: [value('x', ['n', 2])],
  output: [value('y', ['n', 2])],
  initializer,
});
const x = (): Tensor =>
  tensor([
    [1, 2],
    [-1, 3],
  ]);
const scaled = graph([node('Mul', ['x', 'w'], ['y'], {}, { name: 'scale' })], [floats('w', [2], [2, -3])]);

describe('faults', () => {
  it('of operators name all their places, before anything is read', async () => {
    const bad = graph([
      node('Frobnicate', ['x'], ['a'], {}, { name: 'first' }),
      node('Relu', ['a'], ['b']),
      node('Frobnicate', ['b'], ['c'], {}, { name: 'second' }),
      node('Gelu', ['c'], ['y'], {}, { domain: 'com.example' }),
    ]);
    await expect(loadOnnx(model(bad))).rejects.toThrow(
      "got Frobnicate (at 'first', 'second'); com.example.Gelu (at 'y')",
    );
    await expect(loadOnnx(model(bad), { outputs: ['x'] })).resolves.toBeDefined();
  });

  it.each<[string, Draft<'NodeProto'>, RegExp]>([
    [
      'an attribute that there is not',
      node('Relu', ['x'], ['y'], { speed: 2 }),
      /attributes of the node 'y' \(Relu\).*'speed'/,
    ],
    ['an attribute of another kind', node('Softmax', ['x'], ['y'], { axis: 'last' }), /axis of .* kind int/],
    ['an attribute that is missing', node('Cast', ['x'], ['y']), /\(Cast\) to have to/],
    ['a value that nobody made', node('Relu', ['z'], ['y']), /a value 'z' before the node 'y'/],
    ['too few inputs', node('Mul', ['x'], ['y']), /\(Mul\) to have 2 inputs/],
    ['an input left out', node('Mul', ['', 'x'], ['y']), /to have an input 0/],
  ])('are told: %s', async (_, wrong, message) => {
    await expect(loadOnnx(model(graph([wrong])))).rejects.toThrow(message);
    await expect(loadOnnx(model(graph([wrong])))).rejects.toThrow(FormatError);
  });

  it('of inputs are told by their names', async () => {
    const net = await loadOnnx(model(scaled));
    expect(net.inputs).toEqual([{ name: 'x', dtype: 'f32', shape: ['n', 2] }]);
    expect(() => net.forward(arange(4, { dtype: 'i32' }))).toThrow(DtypeError);
    expect(() => net.forward(tensor([[1, 2, 3]]))).toThrow(ShapeError);
    expect(() => (net.forward as (...args: unknown[]) => unknown)()).toThrow(
      "expected a tensor for each of 'x', got 0",
    );
    await expect(loadOnnx(model(scaled), { out: ['y'] } as object)).rejects.toThrow(ArgumentError);
    await expect(loadOnnx(new Uint8Array([1, 2, 3]))).rejects.toThrow(FormatError);
  });

  it('of nodes at work bear their names', async () => {
    const net = await loadOnnx(
      model(graph([node('Mul', ['x', 'w'], ['y'], {}, { name: 'scale' })], [floats('w', [3], [1, 2, 3])])),
    );
    expect(() => net.forward(x())).toThrow(/forward: expected shapes that broadcast/);
  });
});

describe('graphs', () => {
  it('of functions that the model defines are run, with their attributes', async () => {
    const slope: Draft<'AttributeProto'> = { name: 'alpha', refAttrName: 'slope', type: ATTRIBUTE.FLOAT };
    const opsetImport = [
      { domain: '', version: 17 },
      { domain: 'local', version: 1 },
    ];
    const functions: Draft<'FunctionProto'>[] = [
      {
        ...{ name: 'Scaled', domain: 'local', input: ['a', 'b'], output: ['c'], attribute: ['slope'], opsetImport },
        node: [node('Mul', ['a', 'b'], ['t']), { ...node('LeakyRelu', ['t'], ['c']), attribute: [slope] }],
      },
      {
        ...{ name: 'Twice', domain: 'local', input: ['x', 'w'], output: ['y'], opsetImport },
        node: [
          node('Scaled', ['x', 'w'], ['m'], { slope: 0.5 }, { domain: 'local' }),
          node('Scaled', ['m', 'w'], ['y'], { slope: 0.25 }, { domain: 'local' }),
        ],
      },
    ];
    const calls = ['u', 'y'].map((name, i) => node('Twice', [i ? 'u' : 'x', 'w'], [name], {}, { domain: 'local' }));
    const net = await loadOnnx(model(graph(calls, [floats('w', [2], [2, -3])]), { functions, opsetImport }));
    const leaky = (v: number, by: number): number => (v < 0 ? v * by : v);
    const twice = (v: number, w: number): number => leaky(leaky(v * w, 0.5) * w, 0.25);
    const expected = [1, 2, -1, 3].map((v, i) => twice(twice(v, i % 2 ? -3 : 2), i % 2 ? -3 : 2));
    expect(Array.from(net.forward(x()).data)).toEqual(expected);
    const endless = functions.map((each) => ({
      ...each,
      node: [node('Twice', ['x', 'w'], ['y'], {}, { domain: 'local' })],
    }));
    await expect(
      loadOnnx(model(graph(calls, [floats('w', [2], [2, -3])]), { functions: endless, opsetImport })),
    ).rejects.toThrow("functions that do not call themselves, got 'Twice'");
  });

  const branch = (op: string): Draft<'GraphProto'> => ({
    node: [node(op, ['x', 'w'], [`${op}_y`])],
    output: [value(`${op}_y`, ['n', 2])],
  });
  const conditional = (nodes: Draft<'NodeProto'>[]): Draft<'GraphProto'> =>
    graph(
      [...nodes, node('If', ['c'], ['y'], { then_branch: branch('Add'), else_branch: branch('Sub') })],
      [floats('w', [2], [10, 20]), whole('two', [], [2]), whole('zero', [], [0])],
    );
  /** Whether there are more than two samples. */
  const bySize = [
    node('Shape', ['x'], ['s']),
    node('Gather', ['s', 'zero'], ['n']),
    node('Greater', ['n', 'two'], ['c']),
  ];

  it('branch by the sizes of inputs, and see the values around them, compiled too', async () => {
    const net = await loadOnnx(model(conditional(bySize)));
    const infer = compile((input: Tensor) => net.forward(input));
    for (const run of [(input: Tensor) => net.forward(input), infer]) {
      expect(run(x()).toArray()).toEqual([
        [-9, -18],
        [-11, -17],
      ]);
      expect(
        run(
          tensor([
            [1, 2],
            [1, 2],
            [1, 2],
          ]),
        ).toArray()[0 as never],
      ).toEqual([11, 22]);
    }
    net.forward(x()).sum().backward();
    expect(net.getParameter('w').grad?.toArray()).toEqual([-2, -2]);
  });

  it('that branch by values do so in eager mode, and are refused by compile()', async () => {
    const net = await loadOnnx(
      model(
        conditional([node('ReduceSum', ['x'], ['t'], { keepdims: 0 }), node('Cast', ['t'], ['c'], { to: DATA.BOOL })]),
      ),
    );
    expect(net.forward(x()).toArray()).toEqual([
      [11, 22],
      [9, 23],
    ]);
    expect(() => compile((input: Tensor) => net.forward(input))(x())).toThrow(RecordingError);
  });

  it('loop as often as a constant says, with gradients', async () => {
    const body: Draft<'GraphProto'> = {
      node: [node('Identity', ['go'], ['go2']), node('Mul', ['v', 'w'], ['v2'])],
      input: [value('i', [], DATA.INT64), value('go', [], DATA.BOOL), value('v', ['n', 2])],
      output: [value('go2', [], DATA.BOOL), value('v2', ['n', 2])],
    };
    const net = await loadOnnx(
      model(
        graph(
          [node('Loop', ['turns', '', 'x'], ['y'], { body })],
          [whole('turns', [], [3]), floats('w', [2], [2, -1])],
        ),
      ),
    );
    expect(net.forward(x()).toArray()).toEqual([
      [8, -2],
      [-8, -3],
    ]);
    net.forward(x()).sum().backward();
    expect(net.getParameter('w').grad?.toArray()).toEqual([0, 15]);
  });

  it('that make masks of sizes compile, and do not count far on the host', async () => {
    const nodes = [
      node('Shape', ['x'], ['s']),
      node('Gather', ['s', 'zero'], ['n']),
      node('Range', ['zero', 'n', 'one'], ['at']),
      node('Unsqueeze', ['at', 'ones'], ['row']),
      node('Less', ['row', 'at'], ['mask']),
      node('Cast', ['mask'], ['floats'], { to: DATA.FLOAT }),
      node('MatMul', ['floats', 'x'], ['y']),
    ];
    const lists = [whole('zero', [], [0]), whole('one', [], [1]), whole('ones', [1], [1])];
    const net = await loadOnnx(model(graph(nodes, lists)));
    const infer = compile((input: Tensor) => net.forward(input));
    for (const n of [3, 500]) {
      const input = arange(2 * n).reshape([n, 2]);
      const y = net.forward(input);
      expect(y.data.slice(-4)).toEqual(Float32Array.of(2 * n - 2, 2 * n - 1, 0, 0));
      expect(infer(input).data).toEqual(y.data);
    }
  });

  it('may be cut at any value', async () => {
    const net = await loadOnnx(
      model(graph([node('Mul', ['x', 'w'], ['m']), node('Relu', ['m'], ['y'])], [floats('w', [2], [2, -3])])),
      {
        outputs: ['m'],
      },
    );
    expect(net.outputs).toEqual([{ name: 'm', dtype: 'f32', shape: null }]);
    expect(net.forward(x()).toArray()).toEqual([
      [2, -6],
      [-2, -9],
    ]);
    await expect(loadOnnx(model(scaled), { outputs: ['q'] })).rejects.toThrow("a value 'q' before the end");
  });

  it('with quantised weights and values are trained', async () => {
    const nodes = [
      node('DequantizeLinear', ['w8', 'scales', 'zeros'], ['w'], { axis: 1 }),
      node('Mul', ['x', 'w'], ['m']),
      node('QuantizeLinear', ['m', 'step', 'zero'], ['q']),
      node('DequantizeLinear', ['q', 'step', 'zero'], ['y']),
    ];
    const bytes = (name: string, dims: number[], data: number[]): Draft<'TensorProto'> => ({
      ...{ name, dims, dataType: DATA.INT8, int32Data: data },
    });
    const net = await loadOnnx(
      model(
        graph(nodes, [
          bytes('w8', [1, 2], [100, -50]),
          bytes('zeros', [2], [0, 10]),
          bytes('zero', [], [3]),
          floats('scales', [2], [0.02, 0.05]),
          floats('step', [], [0.25]),
        ]),
      ),
    );
    expect(net.namedParameters().map(([name, w]) => [name, w.toArray()])).toEqual([['w', [[2, -3]]]]);
    const y = net.forward(
      tensor([
        [1.3, 2],
        [-1, 30],
      ]),
    );
    expect(y.toArray()).toEqual([
      [2.5, -6],
      [-2, -32.75],
    ]);
    y.sum().backward();
    // What was cut to the range has none.
    expect(Array.from(net.getParameter('w').grad?.data ?? [], (g) => Math.round(g * 1e4) / 1e4)).toEqual([0.3, 2]);
  });

  it('give several results as an array', async () => {
    const split = {
      ...graph([node('Split', ['x'], ['a', 'b'], { axis: 1 })]),
      output: [value('a', []), value('b', [])],
    };
    const net = await loadOnnx<Tensor[]>(model(split));
    expect(net.forward(x()).map((part) => part.toArray())).toEqual([
      [[1], [-1]],
      [[2], [3]],
    ]);
  });

  it('without gradients leave inputs and parameters alive that graphs within hand on', async () => {
    const given = (name: string): Draft<'GraphProto'> => ({
      node: [node('Identity', [name], [`${name}_y`])],
      output: [value(`${name}_y`, ['n', 2])],
    });
    const nodes = [
      ...bySize,
      node('If', ['c'], ['a'], { then_branch: given('w'), else_branch: given('x') }),
      node('Transpose', ['a'], ['b'], { perm: [0, 1] }),
      node('Neg', ['b'], ['y']),
    ];
    const net = await loadOnnx(
      model(graph(nodes, [floats('w', [1, 2], [1, 2]), whole('two', [], [2]), whole('zero', [], [0])])),
    );
    for (const n of [1, 3, 1, 3]) {
      const input = arange(2 * n).reshape([n, 2]);
      expect(noGrad(() => net.forward(input)).data[1]).toBe(n > 2 ? -2 : -1);
      expect(input.data[1]).toBe(1);
    }
    expect(net.getParameter('w').toArray()).toEqual([[1, 2]]);
  });

  it('without gradients hold no more memory than they give', async () => {
    const { backend } = await import('../../bindings/index.ts');
    const nodes = Array.from({ length: 20 }, (_, i) =>
      node('Tanh', [i ? `t${i - 1}` : 'x'], [i === 19 ? 'y' : `t${i}`]),
    );
    const net = await loadOnnx(model(graph(nodes)));
    const input = arange(200_000).reshape([100_000, 2]);
    const before = backend().memory.used;
    const y = noGrad(() => net.forward(input));
    expect(backend().memory.used - before).toBeLessThan(900_000);
    y.dispose();
  });
});

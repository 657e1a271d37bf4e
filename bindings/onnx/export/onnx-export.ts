// A module as an ONNX model: traced in evaluation mode, checked, written. It comes with the first export.
import type { ModuleLink } from '../../execute.ts';
import type { Block } from '../../memory/arena.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import type { Node } from '../../program/trace.ts';
import { sameShape } from '../../sizes.ts';
import type { Tensor } from '../../tensor.ts';
import { type Draft, LOCATION } from '../messages.ts';
import { encode } from '../proto.ts';
import { axesOf, tracesOf } from './axes.ts';
import type { Value } from './graph.ts';
import type { ExampleInputs, Settings } from './options.ts';
import { isMoving, type Size, textOf } from './sizes.ts';
import { type Traceable, type Traced, tensorsOf } from './trace.ts';
import { type WrittenGraph, writeGraph } from './write.ts';
import type { Operand } from './writers.ts';

/** The version of the format that came with each version of the operators. */
const IR_VERSIONS: Readonly<Record<number, number>> = { 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11 };
/** Of one file: protocol buffers end there. */
const MOST_BYTES = 2 ** 31 - 1;
/** Smaller tensors stay in the model's own file. */
const LEAST_OUTSIDE = 1024;
const ALIGNMENT = 64;

/** Paths of modules below `model`, as those of the nodes that their forward made. */
function pathsOf(model: Module): (node: Node) => string {
  const paths = new Map<object, string>(model.namedModules().map(([path, module]) => [module, path]));
  return ({ module }) => {
    // What is no module of the model is named by the one around it.
    for (let link: ModuleLink | null = module; link; link = link.parent) {
      const path = paths.get(link.module);
      if (path !== undefined) return path;
    }
    return '';
  };
}

/** Keys of the model's tensors: those of its state, and buffers that are not saved. */
function keysOf(model: Module): (x: Tensor) => string | undefined {
  const byBlock = new Map<Block, [key: string, x: Tensor][]>();
  for (const [key, x] of [...Object.entries(model.stateDict()), ...model.namedBuffers()])
    byBlock.set(x.block, [...(byBlock.get(x.block) ?? []), [key, x]]);
  return (x) =>
    byBlock
      .get(x.block)
      ?.find(([, y]) => y.offset === x.offset && sameShape(y.sizes, x.sizes) && sameShape(y.steps, x.steps))?.[0];
}

/** Calls `fn` with the model in evaluation mode, and puts the modes back. */
function inEvaluation<T>(model: Module, fn: () => T): T {
  const modes = model.modules().map((module) => [module, module.training] as const);
  try {
    model.eval();
    return fn();
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

const dimension = (size: Size): Draft<'Dimension'> =>
  isMoving(size) ? { dimParam: textOf(size) } : { dimValue: size };

const infoOf = ({ name, type, sizes }: Operand): Draft<'ValueInfoProto'> => ({
  name,
  type: { tensorType: { elemType: type, shape: { dim: sizes.map(dimension) } } },
});

/** Names for `count` tensors. */
function namesOf(
  op: string,
  given: readonly string[] | undefined,
  fallback: readonly string[],
  what: string,
): readonly string[] {
  const names = given ?? fallback;
  if (names.length !== fallback.length || new Set(names).size !== names.length || names.includes(''))
    throw new ArgumentError(`${op}: expected ${fallback.length} different ${what}, got [${names}]`);
  return names;
}

const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => (count === 1 ? name : `${name}_${i}`));

const placed = (place: string): string => {
  if (place === '') return 'output';
  return /^\d/.test(place) ? `output_${place.replaceAll('.', '_')}` : place;
};

/** Nodes that lead to the outputs, and the initializers that those read. */
function needed({ graph }: WrittenGraph, outputs: readonly Value[]): Pick<Draft<'GraphProto'>, 'node' | 'initializer'> {
  const wanted = new Set(outputs.map(({ name }) => name));
  const node = [...graph.nodes].reverse().filter(({ output = [], input = [], attribute = [] }) => {
    if (!output.some((name) => wanted.has(name))) return false;
    for (const name of input) wanted.add(name);
    // What a graph inside takes from around it.
    for (const { g } of attribute)
      for (const inner of g?.node ?? []) for (const name of inner.input ?? []) wanted.add(name);
    return true;
  });
  const initializer = [...graph.initializers].flatMap(([name, tensor]) => (wanted.has(name) ? [tensor] : []));
  return { node: node.reverse(), initializer };
}

/** Gives the outputs their names: their values', where nobody else has those. */
function nameOutputs({ graph, inputs, outputs }: WrittenGraph, names: readonly string[]): Operand[] {
  graph.path = '';
  const fixed = new Set([...inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  const renamed = new Map<string, string>();
  const results = outputs.map((x, i) => {
    const name = graph.claim(names[i] as string);
    if (fixed.has(x.name) || renamed.has(x.name))
      graph.nodes.push({ opType: 'Identity', name: graph.claim('/Identity'), input: [x.name], output: [name] });
    else renamed.set(x.name, name);
    return { ...x, name };
  });
  const own = (name: string): string => renamed.get(name) ?? name;
  graph.nodes.forEach((node, i) => {
    graph.nodes[i] = { ...node, input: (node.input ?? []).map(own), output: (node.output ?? []).map(own) };
  });
  return results;
}

function modelOf(op: string, model: Module, example: ExampleInputs, settings: Settings): Draft<'ModelProto'> {
  const [opset, dynamicBatch, dynamicAxes, inputs, outputs] = settings;
  const irVersion = IR_VERSIONS[opset];
  if (irVersion === undefined)
    throw new ArgumentError(`${op}: expected opset from 17 to 23, got ${opset}; runtimes of today know 18`);
  const args = Array.isArray(example) ? example : [example];
  const tensors = tensorsOf(args);
  const inputNames = namesOf(op, inputs, numbered('input', tensors.length), 'inputNames');
  const axes = axesOf(op, tensors, inputNames, dynamicBatch, dynamicAxes);
  return inEvaluation(model, () => {
    const traced = tracesOf(op, model as unknown as Traceable, args, axes);
    const [{ results }] = traced.traces as [Traced];
    const names = namesOf(
      op,
      outputs,
      results.map(({ place }) => placed(place)),
      'outputNames',
    );
    const written = writeGraph({ op, opset, ...traced, inputNames, pathOf: pathsOf(model), keyOf: keysOf(model) });
    const output = nameOutputs(written, names);
    return {
      irVersion,
      producerName: 'retrograd',
      opsetImport: [{ domain: '', version: opset }],
      graph: {
        name: model.constructor.name,
        ...needed(written, output),
        input: written.inputs.map(infoOf),
        output: output.map(infoOf),
      },
    };
  });
}

function checkSize(op: string, { graph }: Draft<'ModelProto'>): void {
  const bytes = (graph?.initializer ?? []).reduce((sum, { rawData }) => sum + (rawData?.length ?? 0), 0);
  if (bytes > MOST_BYTES)
    throw new ArgumentError(
      `${op}: expected weights of at most 2 GB, got ${bytes} bytes; use saveOnnx(path, model, exampleInputs, { externalData: true })`,
    );
}

/** The bytes of a model in one piece. @throws ArgumentError where it is too large, and as modelOf */
export function encodeOnnx(op: string, model: Module, example: ExampleInputs, settings: Settings): Uint8Array {
  const made = modelOf(op, model, example, settings);
  checkSize(op, made);
  return encode('ModelProto', made);
}

/** Takes the data of large tensors out of the model. @returns it with the places where they are, and the data */
function split(model: Draft<'ModelProto'>, location: string): { model: Draft<'ModelProto'>; data: Uint8Array } {
  const parts: [at: number, bytes: Uint8Array][] = [];
  let end = 0;
  const initializer = (model.graph?.initializer ?? []).map((tensor) => {
    const { rawData, ...rest } = tensor;
    if (!rawData || rawData.length < LEAST_OUTSIDE) return tensor;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    parts.push([offset, rawData]);
    end = offset + rawData.length;
    const places = { location, offset: String(offset), length: String(rawData.length) };
    const externalData = Object.entries(places).map(([key, value]) => ({ key, value }));
    return { ...rest, externalData, dataLocation: LOCATION.EXTERNAL };
  });
  const data = new Uint8Array(end);
  for (const [offset, bytes] of parts) data.set(bytes, offset);
  return { model: { ...model, graph: { ...model.graph, initializer } }, data };
}

/** The bytes of a model, and of a file `location` beside it with the data of its large tensors. */
export function encodeApart(op: string, model: Module, example: ExampleInputs, settings: Settings, location: string) {
  const apart = split(modelOf(op, model, example, settings), location);
  return { model: encode('ModelProto', apart.model), data: apart.data };
}

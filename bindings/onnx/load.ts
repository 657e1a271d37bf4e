// Reads a model: from bytes, a file or a URL, with the files beside it that its weights may be in.
import { bytesOf, isBytes } from '../data/bytes.ts';
import { type ByteSource, sourceKind } from '../data/sources/byte-source.ts';
import { isNode } from '../engine/platform.ts';
import { promised } from '../io/declare.ts';
import { readFileBytes } from '../io/files.ts';
import { otherKind } from '../io/others.ts';
import { isPlain } from '../kinds.ts';
import { BackendError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { ExternalData } from './external.ts';
import { inlined } from './functions.ts';
import type { GraphProto, ValueInfoProto } from './messages.ts';
import { type Loaded, OnnxModule, type OnnxValue } from './model.ts';
import { checkOperators, type Model, neededOf, planOf, tensorsOf } from './plan.ts';
import { decode } from './proto.ts';
import { bad, isOutside } from './tensors.ts';
import { dtypeOf } from './values.ts';

/** Options of {@link loadOnnx}. */
export interface LoadOnnxOptions {
  /**
   * Names of the values that the module gives, of any within the model: so a head is cut off, and what only it needs
   * is not read. null: those that the model gives. @defaultValue null
   */
  outputs?: readonly string[] | null;
  /** Whether all parameters start frozen, without gradients. @defaultValue false */
  freeze?: boolean;
  /**
   * Where files are that the model has weights in: for each a path, a URL, a Blob or bytes, by the names that it has
   * for them; their folder, as a path or a URL; or a function of their names. null: where the model is. Of them is read
   * what is needed, and no more where the source has ranges. @defaultValue null
   */
  externalData?: ExternalData | null;
}

const isUrl = (source: string): boolean => /^[a-z][a-z\d+.-]+:/i.test(source);

async function fetched(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new BackendError(`onnx: expected '${url}' to be there, got the status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The bytes of a model: texts are paths in Node, and URLs in pages. */
async function read(source: ByteSource): Promise<Uint8Array> {
  if (isBytes(source)) return bytesOf('loadOnnx', source);
  if (typeof source === 'string') return isUrl(source) || !isNode ? fetched(source) : readFileBytes(source);
  const { allBytes } = await import('../data/readers/bytes.ts');
  return allBytes('loadOnnx', source);
}

/** What a value of a model is, to users. @throws FormatError unless it is a tensor */
function infoOf({ name = '', type }: ValueInfoProto): OnnxValue {
  const { elemType = 0, shape } = type?.tensorType ?? {};
  if (!type?.tensorType) throw bad(`tensors as inputs and results, got another type in '${name}'`);
  const sizes = shape?.dim.map(({ dimValue, dimParam }, d) =>
    dimValue !== undefined && Number(dimValue) > 0 ? Number(dimValue) : dimParam || `dim${d}`,
  );
  return { name, dtype: dtypeOf(elemType), shape: sizes ?? null };
}

const NEWEST = 'take a newer file, or export the model anew';

/** @throws FormatError for what is no model */
function parse(
  bytes: Uint8Array,
): { graph: GraphProto } & Pick<Model, 'opsets' | 'versions'> & Pick<Loaded, 'nodesAreFixed'> {
  const other = otherKind(bytes);
  if (other) throw bad(`a model of ONNX, got ${other}`);
  const model = decode('ModelProto', bytes);
  const { graph } = model;
  if (!graph || graph.node.length + graph.output.length === 0) throw bad(`a model with a graph, got none; ${NEWEST}`);
  const opsets = new Map(
    model.opsetImport.map(({ domain = '', version }) => [domain === 'ai.onnx' ? '' : domain, Number(version ?? 1)]),
  );
  return { ...inlined(model, graph), opsets, nodesAreFixed: model.producerName === 'retrograd' };
}

async function load(
  source: ByteSource,
  outputs: readonly string[] | null,
  freeze: boolean,
  externalData: ExternalData | null,
): Promise<OnnxModule> {
  const { graph, opsets, versions, nodesAreFixed } = parse(await read(source));
  checkOperators(graph, outputs);
  const { nodes, initializers } = neededOf(graph, outputs);
  const outside = [...initializers, ...tensorsOf(nodes)].filter(isOutside);
  const reader = outside.length > 0 ? await import('./external.ts') : null;
  const beside = await reader?.readBeside(source, outside, externalData);
  const plan = planOf(graph, { opsets, versions, beside }, { outputs });
  const initial = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !initial.has(name)).map(infoOf);
  const infos = new Map([...graph.valueInfo, ...graph.output].map((info) => [info.name ?? '', info]));
  const names = outputs ?? graph.output.map(({ name }) => name ?? '');
  const module = new OnnxModule({
    plan,
    nodesAreFixed,
    inputs,
    outputs: names.map((name, i) => ({
      name,
      dtype: dtypeOf(plan.types[i] ?? 1),
      shape: infos.has(name) ? infoOf(infos.get(name) as ValueInfoProto).shape : null,
    })),
  });
  return freeze ? module.requiresGrad_(false) : module;
}

/**
 * Reads a model of ONNX as a module: it infers, and after `train()` it trains; `compile()` takes it, and its
 * `stateDict()` is saved as any other. Opsets from 7 on. Numbers of 64 and 16 bits become f32, whole numbers i32,
 * truths u8; shapes and the like are computed beside tensors, exactly.
 * @param source the file: its path, in Node, its URL, a Blob or File, or its bytes
 * @throws FormatError for what is no model, and for operators that there are not, each with all its places; the
 *   system's error where a file cannot be read, BackendError where a URL cannot
 *
 * ```ts
 * const body = await loadOnnx('model.onnx', { outputs: ['features'], freeze: true });
 * const model = new nn.Sequential(body, new nn.Linear(512, 10));
 * ```
 */
export const loadOnnx: <R extends Tensor | Tensor[] = Tensor, I extends readonly Tensor[] = [x: Tensor]>(
  source: ByteSource,
  options?: LoadOnnxOptions,
) => Promise<OnnxModule<R, I>> = promised(
  ['loadOnnx(source: source, *, outputs: string[]|null = null, freeze: bool = false, externalData: files|null = null)'],
  load,
  {
    ...sourceKind,
    files: [
      (x) => typeof x === 'function' || (typeof x === 'string' && x !== '' && !x.includes('\0')) || isPlain(x),
      'an object of files by their names, the path or URL of their folder, or a function that gives one by its name',
    ],
  },
) as never;

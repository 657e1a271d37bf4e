// Reads a model: from bytes, a file or a URL, with the files beside it that its weights may be in.
import { type Bytes, bytesOf } from '../data/bytes.ts';
import { isNode } from '../engine/platform.ts';
import { promised } from '../io/declare.ts';
import { readFileBytes } from '../io/files.ts';
import { ArgumentError, BackendError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { inlined } from './functions.ts';
import { type GraphProto, LOCATION, type TensorProto, type ValueInfoProto } from './messages.ts';
import { OnnxModule, type OnnxValue } from './model.ts';
import { checkOperators, type Model, planOf } from './plan.ts';
import { decode } from './proto.ts';
import { bad, placeOf } from './tensors.ts';
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
   * The bytes of files that the model has its weights in, by the names that it has for them; null: they are read from
   * where the model is. @defaultValue null
   */
  externalData?: Readonly<Record<string, Bytes>> | null;
}

const isUrl = (source: string): boolean => /^[a-z][a-z\d+.-]+:/i.test(source);

async function fetched(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new BackendError(`onnx: expected '${url}' to be there, got the status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The bytes of a path, or of a URL, which all names are in pages. */
const read = (source: string): Promise<Uint8Array> =>
  isUrl(source) || !isNode ? fetched(source) : readFileBytes(source);

/** What stands beside a path or a URL. */
const besideOf = (source: string, name: string): string =>
  `${/^.*[/\\]/.exec(source.replace(/[?#].*$/, ''))?.[0] ?? ''}${name}`;

/** All tensors of a graph, those of graphs within nodes too. */
function* tensorsIn(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const { t, tensors, g, graphs } of graph.node.flatMap(({ attribute }) => attribute)) {
    if (t) yield t;
    yield* tensors;
    for (const inner of g ? [g, ...graphs] : graphs) yield* tensorsIn(inner);
  }
}

/** The files beside the model that its tensors are in. */
async function filesOf(
  graph: GraphProto,
  source: Bytes | string,
  given: Readonly<Record<string, Bytes>> | null,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const proto of tensorsIn(graph)) {
    if ((proto.dataLocation ?? 0) !== LOCATION.EXTERNAL) continue;
    const { location } = placeOf(proto);
    if (files.has(location)) continue;
    const own = given && Object.hasOwn(given, location) ? given[location] : undefined;
    if (own) files.set(location, bytesOf('loadOnnx', own));
    else if (typeof source === 'string') files.set(location, await read(besideOf(source, location)));
    else
      throw new ArgumentError(
        `loadOnnx: expected the bytes of '${location}', which has weights, got the model alone; give externalData: { '${location}': bytes }`,
      );
  }
  return files;
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
function parse(bytes: Uint8Array): { graph: GraphProto } & Pick<Model, 'opsets' | 'versions'> {
  const model = decode('ModelProto', bytes);
  const { graph } = model;
  if (!graph || graph.node.length + graph.output.length === 0) throw bad(`a model with a graph, got none; ${NEWEST}`);
  const opsets = new Map(
    model.opsetImport.map(({ domain = '', version }) => [domain === 'ai.onnx' ? '' : domain, Number(version ?? 1)]),
  );
  return { ...inlined(model, graph), opsets };
}

async function load(
  source: Bytes | string,
  outputs: readonly string[] | null,
  freeze: boolean,
  externalData: Readonly<Record<string, Bytes>> | null,
): Promise<OnnxModule> {
  const bytes = typeof source === 'string' ? await read(source) : bytesOf('loadOnnx', source);
  const { graph, opsets, versions } = parse(bytes);
  checkOperators(graph, outputs);
  const beside = await filesOf(graph, source, externalData);
  const plan = planOf(graph, { opsets, versions, beside }, { outputs });
  const initial = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !initial.has(name)).map(infoOf);
  const infos = new Map([...graph.valueInfo, ...graph.output].map((info) => [info.name ?? '', info]));
  const names = outputs ?? graph.output.map(({ name }) => name ?? '');
  const module = new OnnxModule({
    plan,
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
 * @param source the bytes of the file; or its path, in Node, or its URL
 * @throws FormatError for what is no model, and for operators that there are not, each with all its places; the
 *   system's error where a file cannot be read, BackendError where a URL cannot
 *
 * ```ts
 * const body = await loadOnnx('model.onnx', { outputs: ['features'], freeze: true });
 * const model = new nn.Sequential(body, new nn.Linear(512, 10));
 * ```
 */
export const loadOnnx: <R extends Tensor | Tensor[] = Tensor, I extends readonly Tensor[] = [x: Tensor]>(
  source: Bytes | string,
  options?: LoadOnnxOptions,
) => Promise<OnnxModule<R, I>> = promised(
  [
    'loadOnnx(source: bytes|path, *, outputs: string[]|null = null, freeze: bool = false, externalData: object|null = null)',
  ],
  load,
) as never;

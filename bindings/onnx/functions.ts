// Operators that a model defines itself, as functions of others: their nodes take the place of those that call them.
import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto } from './messages.ts';
import { bad } from './tensors.ts';

/** A model of more nodes than this is none: functions that call others twice grow without end. */
const MOST_NODES = 200_000;

/** A message with lists of its own: those that are empty are inherited. */
export function copyOf<T extends object>(message: T, changes: Partial<T> = {}): T {
  const copy: Record<string, unknown> = {};
  for (const key in message) copy[key] = (message as Record<string, unknown>)[key];
  return Object.assign(copy as T, changes);
}

type Rename = (name: string) => string;

const keyOf = (domain = '', name = '', overload = ''): string => `${domain}\n${name}\n${overload}`;

/** A function's attribute, by what the node that calls it gives. */
function givenOf(attribute: AttributeProto, call: NodeProto, own: FunctionProto): AttributeProto[] {
  const { refAttrName, name = '' } = attribute;
  if (!refAttrName) return [attribute];
  const given = [...call.attribute, ...own.attributeProto].find((each) => each.name === refAttrName);
  return given ? [copyOf(given, { name })] : [];
}

const renamedInfo = (info: ValueInfoProto, rename: Rename): ValueInfoProto =>
  copyOf(info, { name: rename(info.name ?? '') });

/** Puts functions in the place of their calls. */
class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  #nodes = 0;
  /** Versions of operators that nodes of functions mean. */
  readonly versions = new Map<NodeProto, ReadonlyMap<string, number>>();

  constructor(functions: readonly FunctionProto[]) {
    this.#functions = new Map(functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]));
  }

  graph(graph: GraphProto, within: readonly FunctionProto[] = [], opsets?: ReadonlyMap<string, number>): GraphProto {
    return copyOf(graph, { node: graph.node.flatMap((node) => this.#node(node, within, opsets)) });
  }

  #node(node: NodeProto, within: readonly FunctionProto[], opsets?: ReadonlyMap<string, number>): NodeProto[] {
    if (++this.#nodes > MOST_NODES) throw bad(`at most ${MOST_NODES} nodes, got more of them`);
    const own = this.#functions.get(keyOf(node.domain, node.opType, node.overload));
    if (own) return this.#body(node, own, within);
    const inner = copyOf(node, {
      attribute: node.attribute.map((each) =>
        each.g ? copyOf(each, { g: this.graph(each.g, within, opsets) }) : each,
      ),
    });
    if (opsets) this.versions.set(inner, opsets);
    return [inner];
  }

  /** The nodes of a function with the names that the node around gives. */
  #body(call: NodeProto, own: FunctionProto, within: readonly FunctionProto[]): NodeProto[] {
    if (within.includes(own)) throw bad(`functions that do not call themselves, got '${own.name ?? ''}'`);
    const path = `${call.name || call.output[0] || ''}/`;
    const names = new Map<string, string>();
    own.input.forEach((name, i) => void names.set(name, call.input[i] ?? ''));
    own.output.forEach((name, i) => void names.set(name, call.output[i] || path + name));
    const rename: Rename = (name) => (name === '' ? '' : (names.get(name) ?? path + name));
    const opsets = new Map(own.opsetImport.map(({ domain = '', version }) => [domain, Number(version ?? 1)]));
    return own.node
      .map((node) => this.#renamed(node, rename, call, own))
      .flatMap((node) => this.#node(node, [...within, own], opsets));
  }

  #renamed(node: NodeProto, rename: Rename, call: NodeProto, own: FunctionProto): NodeProto {
    return copyOf(node, {
      name: rename(node.name || node.output[0] || ''),
      input: node.input.map(rename),
      output: node.output.map(rename),
      attribute: node.attribute.flatMap((attribute) =>
        givenOf(attribute, call, own).map((each) =>
          each.g && !attribute.refAttrName ? copyOf(each, { g: this.#graphRenamed(each.g, rename, call, own) }) : each,
        ),
      ),
    });
  }

  #graphRenamed(graph: GraphProto, rename: Rename, call: NodeProto, own: FunctionProto): GraphProto {
    return copyOf(graph, {
      node: graph.node.map((node) => this.#renamed(node, rename, call, own)),
      input: graph.input.map((info) => renamedInfo(info, rename)),
      output: graph.output.map((info) => renamedInfo(info, rename)),
      initializer: graph.initializer.map((each) => copyOf(each, { name: rename(each.name ?? '') })),
    });
  }
}

/** The graph of a model without calls of its own functions, and the versions that their nodes mean. */
export function inlined(
  { functions }: ModelProto,
  graph: GraphProto,
): { graph: GraphProto; versions: ReadonlyMap<NodeProto, ReadonlyMap<string, number>> } {
  if (functions.length === 0) return { graph, versions: new Map() };
  const inliner = new Inliner(functions);
  return { graph: inliner.graph(graph), versions: inliner.versions };
}

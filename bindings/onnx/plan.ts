// A graph as it is run: nodes in order, their values in numbered slots, and after which node nobody needs a value.
import { FormatError } from '../memory/errors.ts';
import { copyOf } from './functions.ts';
import { ATTRIBUTE, type AttributeProto, type GraphProto, type NodeProto, type TensorProto } from './messages.ts';
import { type Attribute, type Node, type Operator, takesOf } from './operator.ts';
import { operators } from './operators/index.ts';
import { type Beside, bad, type Constant, dequantised, readTensor } from './tensors.ts';
import type { ElementType } from './values.ts';

/** A node in a plan. */
export interface Step {
  readonly node: Node;
  /** Slots of inputs; -1 for none. */
  readonly inputs: readonly number[];
  /** Slots of results; -1 for those that nobody reads. */
  readonly outputs: readonly number[];
  readonly graphs: Readonly<Record<string, Plan>>;
  /** Slots that nobody needs behind it. */
  readonly last: number[];
}

/** A constant of a graph. */
export interface PlanConstant {
  readonly slot: number;
  readonly name: string;
  /** Its numbers are let go of where a module has them. */
  constant: Constant;
  /** Whether it is an initialiser, and no node. */
  readonly initial: boolean;
}

export interface Plan {
  readonly slots: number;
  /** Of the inputs. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly types: readonly ElementType[];
  /** Slots that are filled from those of the graph around. */
  readonly captured: readonly (readonly [outer: number, inner: number])[];
  readonly constants: readonly PlanConstant[];
  readonly steps: readonly Step[];
}

/** What is known of all of a model's graphs. */
export interface Model {
  readonly opsets: ReadonlyMap<string, number>;
  /** Of nodes that come from functions. */
  readonly versions: ReadonlyMap<NodeProto, ReadonlyMap<string, number>>;
  readonly beside: Beside | undefined;
}

/** Domains that mean ONNX's own operators. */
const OWN = ['', 'ai.onnx'];

/** An operator that there is not, as errors name it. */
const labelOf = ({ domain, opType }: NodeProto): string =>
  OWN.includes(domain ?? '') ? (opType ?? '') : `${domain}.${opType}`;

const operatorOf = ({ domain, opType }: NodeProto): Operator | undefined =>
  OWN.includes(domain ?? '') && Object.hasOwn(operators, opType ?? '') ? operators[opType ?? ''] : undefined;

/** All nodes, those of graphs within nodes too. */
function* nodesIn({ node }: Pick<GraphProto, 'node'>): Generator<NodeProto> {
  for (const each of node) {
    yield each;
    for (const { g, graphs } of each.attribute) {
      if (g) yield* nodesIn(g);
      for (const graph of graphs) yield* nodesIn(graph);
    }
  }
}

/** Tensors of nodes, and of the graphs within them. */
export function* tensorsOf(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const { t, tensors, g, graphs } of nodes.flatMap(({ attribute }) => attribute)) {
    if (t) yield t;
    yield* tensors;
    for (const inner of g ? [g, ...graphs] : graphs) {
      yield* inner.initializer;
      yield* tensorsOf(inner.node);
    }
  }
}

/** @throws FormatError that names all operators that there are not, and where they stand */
export function checkOperators(graph: GraphProto, outputs: readonly string[] | null): void {
  const missing = new Map<string, string[]>();
  const nodes = outputs ? needed(graph, outputs) : graph.node;
  for (const node of nodesIn({ node: nodes })) {
    if (operatorOf(node) || (OWN.includes(node.domain ?? '') && node.opType === 'Constant')) continue;
    const label = labelOf(node);
    missing.set(label, [...(missing.get(label) ?? []), node.name || node.output[0] || '']);
  }
  if (missing.size === 0) return;
  const list = [...missing].map(([label, places]) => `${label} (at ${places.map((place) => `'${place}'`).join(', ')})`);
  throw new FormatError(
    `onnx: expected operators that this library has, got ${list.join('; ')}; export the model without them, or cut it off before by the option outputs`,
  );
}

/** The value of an attribute, by the type that it says it has. */
function readAttribute(attribute: AttributeProto): Attribute | undefined {
  const { type, f, i, s, t, g, floats, ints, strings } = attribute;
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  switch (type) {
    case ATTRIBUTE.FLOAT:
      return f ?? 0;
    case ATTRIBUTE.INT:
      return Number(i ?? 0);
    case ATTRIBUTE.STRING:
      return text(s ?? new Uint8Array());
    case ATTRIBUTE.TENSOR:
      return t;
    case ATTRIBUTE.GRAPH:
      return g;
    case ATTRIBUTE.FLOATS:
      return Array.from(floats);
    case ATTRIBUTE.INTS:
      return ints.map(Number);
    case ATTRIBUTE.STRINGS:
      return strings.map(text);
    case ATTRIBUTE.TYPE_PROTO:
      return null;
    default:
      return undefined;
  }
}

const KINDS: Readonly<Record<string, (x: unknown) => boolean>> = {
  int: Number.isInteger,
  float: (x) => typeof x === 'number',
  ints: Array.isArray,
  floats: Array.isArray,
  text: (x) => typeof x === 'string',
  texts: Array.isArray,
  tensor: (x) => typeof x === 'object',
  graph: (x) => typeof x === 'object',
  type: (x) => typeof x === 'object',
};

/** The attributes of a node with those that it does not give. @throws FormatError for what the operator lacks */
function attributesOf(proto: NodeProto, operator: Operator, where: string): Record<string, Attribute> {
  const { attributes } = takesOf(operator);
  const values: Record<string, Attribute> = {};
  for (const [name, { value }] of attributes) values[name] = value;
  for (const given of proto.attribute) {
    const name = given.name ?? '';
    const known = attributes.get(name);
    // Before opset 7 nodes said by it which results they left out.
    if (!known && name === 'consumed_inputs') continue;
    if (!known) throw bad(`attributes of ${where} among ${[...attributes.keys()].join(', ') || 'none'}, got '${name}'`);
    const value = readAttribute(given);
    if (value === undefined || !KINDS[known.kind]?.(value))
      throw bad(`${name} of ${where} to be of the kind ${known.kind}`);
    values[name] = value;
  }
  for (const [name, { needed }] of attributes)
    if (needed && values[name] === null) throw bad(`${where} to have ${name}, got none`);
  return values;
}

/** Builds the plan of a graph. */
class Planner {
  readonly #model: Model;
  readonly #outer: Planner | null;
  readonly #slots = new Map<string, number>();
  readonly #types: ElementType[] = [];
  readonly #captured: (readonly [number, number])[] = [];
  readonly #constants: PlanConstant[] = [];
  readonly #wanted: ReadonlySet<string>;
  readonly #steps: Step[] = [];

  constructor(model: Model, wanted: ReadonlySet<string>, outer: Planner | null) {
    this.#model = model;
    this.#wanted = wanted;
    this.#outer = outer;
  }

  /** A slot for a new value. @throws FormatError where the name is taken */
  add(name: string, type: ElementType): number {
    if (this.#slots.has(name)) throw bad(`one value for each name, got '${name}' twice`);
    const slot = this.#types.length;
    this.#slots.set(name, slot);
    this.#types.push(type);
    return slot;
  }

  constant(name: string, constant: Constant, initial: boolean): void {
    this.#constants.push({ slot: this.add(name, constant.type), name, constant, initial });
  }

  typeOf(slot: number): ElementType {
    return this.#types[slot] ?? 0;
  }

  /** The slot of a value that a node reads. @throws FormatError where nothing has made it */
  find(name: string, where: string): number {
    const own = this.#slots.get(name);
    if (own !== undefined) return own;
    if (!this.#outer) throw bad(`a value '${name}' before ${where}, which reads it, got none`);
    const outer = this.#outer.find(name, where);
    const inner = this.add(name, this.#outer.typeOf(outer));
    this.#captured.push([outer, inner]);
    return inner;
  }

  /** Makes floats of constants that are quantised: so they can be trained. @returns whether it did */
  #dequantise(proto: NodeProto, inputs: readonly number[]): boolean {
    const [x, scale, zero] = inputs.map((slot) => this.#constants.find((each) => each.slot === slot)?.constant);
    const axis = Number(proto.attribute.find(({ name }) => name === 'axis')?.i ?? 1);
    if (!x || !scale || (inputs.length > 2 && !zero)) return false;
    const made = dequantised(x, scale, zero ?? null, axis);
    if (made) this.constant(proto.output[0] ?? '', made, true);
    return made !== null;
  }

  step(proto: NodeProto): void {
    const operator = operatorOf(proto) as Operator;
    const where = `the node '${proto.name || proto.output[0] || ''}' (${labelOf(proto)})`;
    const { inputs: words, least, variadic } = takesOf(operator);
    const given = [...proto.input];
    while (given.at(-1) === '') given.pop();
    if (given.length < least || (given.length > words.length && !variadic))
      throw bad(
        `${where} to have ${variadic ? 'at least ' : ''}${least} inputs or up to ${words.length}, got ${given.length}`,
      );
    given.forEach((name, i) => {
      if (name === '' && i < least) throw bad(`${where} to have an input ${i}, got none`);
    });
    const inputs = given.map((name) => (name === '' ? -1 : this.find(name, where)));
    if (proto.opType === 'DequantizeLinear' && this.#dequantise(proto, inputs)) return;
    const domain = OWN.includes(proto.domain ?? '') ? '' : (proto.domain ?? '');
    const attributes = attributesOf(proto, operator, where);
    const types = inputs.map((slot) => (slot < 0 ? 0 : this.typeOf(slot)));
    const graphs: Record<string, Plan> = {};
    for (const [name, { kind }] of takesOf(operator).attributes)
      if (kind === 'graph' && attributes[name])
        graphs[name] = planOf(attributes[name] as GraphProto, this.#model, { outer: this, types });
    const node = {
      name: proto.name || proto.output[0] || '',
      op: proto.opType ?? '',
      operator,
      opset: (this.#model.versions.get(proto) ?? this.#model.opsets).get(domain) ?? 1,
      attributes,
      types,
      wanted: proto.output.map((name) => name !== '' && this.#wanted.has(name)),
    };
    const bodies = Object.fromEntries(
      Object.entries(graphs).map(([name, { inputs: all, types: own }]) => [
        name,
        { inputs: all.length, types: own, run: () => [] },
      ]),
    );
    const result = operator.types?.(node, bodies) ?? proto.output.map(() => types[0] ?? 0);
    const outputs = proto.output.map((name, i) => (node.wanted[i] ? this.add(name, result[i] ?? 0) : -1));
    this.#steps.push({
      node: { ...node, given: proto.output.map((_, i) => result[i] ?? 0) },
      inputs,
      outputs,
      graphs,
      last: [],
    });
  }

  plan(inputs: readonly number[], outputs: readonly string[]): Plan {
    const slots = outputs.map((name) => this.find(name, 'the end'));
    const steps = this.#steps;
    const kept = new Set([...slots, ...this.#constants.map(({ slot }) => slot)]);
    const readers = new Map<number, Step>();
    for (const step of steps) {
      for (const slot of [
        ...step.inputs,
        ...Object.values(step.graphs).flatMap(({ captured }) => captured.map(([outer]) => outer)),
        ...step.outputs,
      ])
        if (slot >= 0) readers.set(slot, step);
    }
    for (const [slot, step] of readers) if (!kept.has(slot)) step.last.push(slot);
    return {
      slots: this.#types.length,
      inputs,
      outputs: slots,
      types: slots.map((slot) => this.typeOf(slot)),
      captured: this.#captured,
      // Without those that only stood for others.
      constants: this.#constants.filter(({ slot }) => readers.has(slot) || slots.includes(slot)),
      steps,
    };
  }
}

/** The names that nodes read, those of graphs within them too, and what these give. */
function readIn(nodes: readonly NodeProto[], names = new Set<string>()): Set<string> {
  for (const node of nodesIn({ node: nodes })) {
    for (const name of node.input) names.add(name);
    for (const { g } of node.attribute) for (const { name } of g?.output ?? []) names.add(name ?? '');
  }
  return names;
}

/** What a Constant node says. */
function constantIn(proto: NodeProto, beside: Beside | undefined): Constant {
  const [attribute] = proto.attribute;
  const value = attribute && readAttribute(attribute);
  const list = (data: readonly number[], type: ElementType, sizes: readonly number[]): Constant => ({
    type,
    sizes,
    data,
  });
  switch (attribute?.name) {
    case 'value':
      if (attribute.t) return readTensor(copyOf(attribute.t, { name: proto.output[0] ?? '' }), beside);
      break;
    case 'value_float':
      return list([Math.fround(value as number)], 1, []);
    case 'value_floats':
      return list((value as number[]).map(Math.fround), 1, [(value as number[]).length]);
    case 'value_int':
      return list([value as number], 7, []);
    case 'value_ints':
      return list(value as number[], 7, [(value as number[]).length]);
  }
  throw bad(`a constant of numbers at '${proto.output[0] ?? ''}', got '${attribute?.name ?? 'none'}'`);
}

/** How a graph is cut, or stands within another. */
interface Setting {
  readonly outer?: Planner;
  /** Types of the node's inputs around, for those that a body does not give. */
  readonly types?: readonly ElementType[];
  /** Names of the results; null: the graph's own. */
  readonly outputs?: readonly string[] | null;
}

/** The nodes that `outputs` need, in order. */
function needed(graph: GraphProto, outputs: readonly string[]): readonly NodeProto[] {
  const wanted = new Set(outputs);
  const kept: NodeProto[] = [];
  for (const node of [...graph.node].reverse()) {
    if (!node.output.some((name) => name !== '' && wanted.has(name))) continue;
    kept.push(node);
    readIn([node], wanted);
  }
  return kept.reverse();
}

/** What is needed of a graph for `outputs`; null: for its own. */
export function neededOf(
  graph: GraphProto,
  outputs: readonly string[] | null,
): {
  results: readonly string[];
  nodes: readonly NodeProto[];
  wanted: ReadonlySet<string>;
  initializers: GraphProto['initializer'];
} {
  const results = outputs ?? graph.output.map(({ name }) => name ?? '');
  const nodes = needed(graph, results);
  const wanted = readIn(nodes, new Set(results));
  return { results, nodes, wanted, initializers: graph.initializer.filter(({ name }) => wanted.has(name ?? '')) };
}

/** @throws FormatError for what is no graph that can be run */
export function planOf(graph: GraphProto, model: Model, { outer, types, outputs }: Setting = {}): Plan {
  const { results, nodes, wanted, initializers } = neededOf(graph, outputs ?? null);
  const planner = new Planner(model, wanted, outer ?? null);
  const initial = new Set(graph.initializer.map(({ name }) => name ?? ''));
  const inputs = graph.input.filter(({ name }) => !initial.has(name ?? ''));
  const slots = inputs.map(({ name, type }, i) =>
    planner.add(name ?? '', type?.tensorType?.elemType || (types?.[i] ?? 0)),
  );
  for (const proto of initializers) planner.constant(proto.name ?? '', readTensor(proto, model.beside), true);
  for (const node of nodes)
    if (node.opType === 'Constant' && OWN.includes(node.domain ?? ''))
      planner.constant(node.output[0] ?? '', constantIn(node, model.beside), false);
    else planner.step(node);
  return planner.plan(slots, results);
}

// A model as TensorBoard draws it: the ops that it calls, in the modules that call them; or the modules alone.
import { withoutTape } from '../../autograd.ts';
import { zeros } from '../../creation.ts';
import { formatShape } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { type Traceable, traceOf } from '../../onnx/export/trace.ts';
import { pathOf } from '../../program/modules.ts';
import { tensorsIn } from '../../program/trace.ts';
import { scope } from '../../scope.ts';
import type { Shape, Tensor } from '../../tensor.ts';
import { bytes, int, joined, message } from './messages.ts';
import type { Value } from './pending.ts';

interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly inputs?: readonly string[];
  readonly shapes?: readonly Shape[];
  readonly attributes?: string;
}

const shapeOf = (shape: Shape): Uint8Array => message(7, ...shape.map((size) => message(2, int(1, size))));

function nodeOf({ name, op, inputs = [], shapes = [], attributes = '' }: GraphNode): Uint8Array {
  const attribute = (key: string, ...value: Uint8Array[]): Uint8Array =>
    message(5, bytes(1, key), message(2, ...value));
  return message(
    1,
    bytes(1, name),
    bytes(2, op),
    ...inputs.map((input) => bytes(3, input)),
    ...(shapes.length > 0 ? [attribute('_output_shapes', message(1, ...shapes.map(shapeOf)))] : []),
    ...(attributes ? [attribute('attributes', bytes(2, attributes))] : []),
  );
}

/** Paths of TensorBoard go down by slashes. */
const below = (root: string, path: string): string => (path ? `${root}/${path.replaceAll('.', '/')}` : root);

/** Modules and parameters, one behind the other. */
function treeOf(model: Module): GraphNode[] {
  const root = model.constructor.name;
  const parameters = model
    .namedParameters()
    .map(([path, x]) => ({ name: below(root, path), op: 'Parameter', shapes: [x.shape] }));
  let before: string[] = [];
  const modules = model
    .namedModules()
    .filter(([, module]) => module.children().length === 0)
    .map(([path, module]): GraphNode => {
      const name = `${below(root, path)}/forward`;
      const own = parameters.filter((each) => each.name.startsWith(`${below(root, path)}/`)).map((each) => each.name);
      const inputs = [...before, ...own];
      before = [name];
      return { name, op: module.constructor.name, inputs, attributes: String(module).split('\n')[0] as string };
    });
  return [...parameters, ...modules];
}

const attributesOf = (attrs: unknown): string =>
  Object.entries(Object(attrs))
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? formatShape(value) : String(value)}`)
    .join(', ');

/** The ops of a forward, each in its module. */
function opsOf(model: Module, shapes: readonly { shape: Shape; dtype: Tensor['dtype'] }[]): GraphNode[] {
  const root = model.constructor.name;
  return withoutTape(() =>
    scope(() => {
      const inputs = shapes.map(({ shape, dtype }) => zeros([...shape], { dtype }));
      const traced = traceOf('addGraph', model as Module & Traceable, inputs, (x) => x.shape);
      const graph: GraphNode[] = [];
      // By tensor where it is the same one, else by what wrote its memory last.
      const names = new Map<unknown, string>();
      const note = (x: Tensor, name: string): void => void names.set(x, name).set(x.block, name);
      const put = (x: Tensor, name: string, op: string): void => {
        note(x, name);
        graph.push({ name, op, shapes: [x.shape] });
      };
      for (const [i, x] of traced.inputs.entries()) put(x, `input/${i}`, 'Placeholder');
      for (const [path, x] of [...model.namedParameters(), ...model.namedBuffers()])
        put(x, below(root, path), 'Parameter');
      traced.nodes.forEach((node, i) => {
        const path = pathOf(node.module);
        const name = `${path === root ? root : below(root, path)}/${node.op}_${i}`;
        const given = node.row.inputs.flatMap(({ name: slot }) => tensorsIn(node.inputs[slot]));
        const outputs = Object.values(node.outputs);
        graph.push({
          ...{ name, op: node.op, attributes: attributesOf(node.attrs), shapes: outputs.map((x) => x.shape) },
          inputs: given.flatMap((x) => names.get(x) ?? names.get(x.block) ?? []),
        });
        for (const x of outputs) note(x, name);
      });
      traced.results.forEach(({ tensor: x }, i) => {
        const from = names.get(x) ?? names.get(x.block);
        graph.push({ name: `output/${i}`, op: 'Identity', inputs: from ? [from] : [], shapes: [x.shape] });
      });
      return graph;
    }),
  );
}

/** A GraphDef. */
export function graphOf({ model, inputs }: Extract<Value, { kind: 'graph' }>): Uint8Array {
  const nodes = inputs.length > 0 ? opsOf(model, inputs) : treeOf(model);
  return joined([...nodes.map(nodeOf), message(4, int(1, 22))]);
}

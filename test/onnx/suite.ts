// The tests of ONNX's backends: folders with a model, and, in each `test_data_set_…`, its inputs and results.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scope, type Tensor } from '../../bindings/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';
import { DATA, type ValueInfoProto } from '../../bindings/onnx/messages.ts';
import { decode } from '../../bindings/onnx/proto.ts';
import { type Constant, readTensor } from '../../bindings/onnx/tensors.ts';
import { HostArray, isFloat } from '../../bindings/onnx/values.ts';

/** Types of elements that are numbers of at least a byte. */
const PLAIN: readonly number[] = [
  ...[DATA.FLOAT, DATA.UINT8, DATA.INT8, DATA.UINT16, DATA.INT16, DATA.INT32, DATA.INT64, DATA.BOOL, DATA.FLOAT16],
  ...[DATA.DOUBLE, DATA.UINT32, DATA.UINT64, DATA.BFLOAT16],
];

const isPlain = ({ type }: ValueInfoProto): boolean => PLAIN.includes(type?.tensorType?.elemType ?? 0);

/** Whether a test is one of tensors of plain types, and no operator written as a function of others. */
export function isPlainCase(folder: string): boolean {
  if (folder.includes('expanded')) return false;
  const { graph } = decode('ModelProto', readFileSync(join(folder, 'model.onnx')));
  return [...(graph?.input ?? []), ...(graph?.output ?? [])].every(isPlain);
}

/** The folders of tests in a folder, by name. */
export const casesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => existsSync(join(folder, name, 'model.onnx')))
        .sort()
    : [];

/** What a test gives a model, and what it expects of it: messages of tensors. */
export interface DataSet {
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

/** @param infos of the graph: what has bits of another type in the file is read as those say */
const tensorsOf = (files: readonly Uint8Array[], infos: readonly ValueInfoProto[]): Constant[] =>
  files.map((bytes, i) => {
    const proto = decode('TensorProto', bytes);
    const half = infos[i]?.type?.tensorType?.elemType === DATA.BFLOAT16 && proto.dataType === DATA.UINT16;
    if (half) proto.dataType = DATA.BFLOAT16;
    return readTensor(proto);
  });

function filesIn(folder: string, kind: 'input' | 'output'): Uint8Array[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(`${kind}_`) && name.endsWith('.pb'))
    .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
    .map((name) => readFileSync(join(folder, name)));
}

/** Where a result differs, beyond the tolerance of ONNX's own runner; null where it does not. */
function difference(got: Tensor, { type, sizes, data }: Constant): string | null {
  if (got.shape.join() !== sizes.join()) return `shape [${got.shape}] instead of [${sizes}]`;
  const numbers = got.data;
  for (let i = 0; i < data.length; i++) {
    const [a, b] = [numbers[i] as number, data[i] as number];
    const near = isFloat(type) ? Math.abs(a - b) <= 1e-6 + 1e-3 * Math.abs(b) : false;
    if (!near && !Object.is(a, b) && a !== b) return `${a} instead of ${b} at ${i}`;
  }
  return null;
}

/** Runs a model on what a test gives it. @returns what is wrong; null for nothing */
export async function runModel(file: Uint8Array, sets: readonly DataSet[]): Promise<string | null> {
  try {
    const { graph } = decode('ModelProto', file);
    const model = await loadOnnx<Tensor | Tensor[], Tensor[]>(file);
    try {
      for (const { inputs: given, outputs } of sets) {
        const expected = tensorsOf(outputs, graph?.output ?? []);
        const wrong = scope(() => {
          const inputs = tensorsOf(given, graph?.input ?? []).map(({ type, sizes, data }) =>
            new HostArray(sizes, Array.from(data)).asTensor(type),
          );
          const results = [model.forward(...inputs)].flat();
          return results.map((x, i) => difference(x, expected[i] as Constant)).find((text) => text !== null) ?? null;
        });
        if (wrong !== null) return wrong;
      }
      return null;
    } finally {
      model.dispose();
    }
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

/** Runs the test in a folder. @returns what is wrong; null for nothing */
export const runCase = (folder: string): Promise<string | null> =>
  runModel(
    readFileSync(join(folder, 'model.onnx')),
    readdirSync(folder)
      .filter((name) => name.startsWith('test_data_set_'))
      .map((name) => ({
        inputs: filesIn(join(folder, name), 'input'),
        outputs: filesIn(join(folder, name), 'output'),
      })),
  );

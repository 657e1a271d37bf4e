// tfjs-core's own suite on one thread, none of it left out; and which kernels of TensorFlow.js are computed by ours.
// `ONLY='batchMatMul|fused' npx vitest run test/tfjs/core` runs specs of such names, and prints who computes them.
import { describe, expect, it } from 'vitest';
import { configure } from '../../bindings/tfjs/index.ts';
import { listen } from '../../bindings/tfjs/link.ts';
import { runSuite } from './suite.ts';

const only = process.env.ONLY ? new RegExp(process.env.ONLY) : undefined;

/** What layers, losses, optimizers and their gradients call: of these no spec may need the cpu backend's kernels. */
const trained = [
  'BatchMatMul _FusedMatMul Einsum Conv2D FusedConv2D Conv2DBackpropInput Conv2DBackpropFilter',
  'DepthwiseConv2dNative FusedDepthwiseConv2D DepthwiseConv2dNativeBackpropInput DepthwiseConv2dNativeBackpropFilter',
  'Conv3D Conv3DBackpropInputV2 Conv3DBackpropFilterV2',
  'MaxPool MaxPoolGrad AvgPool AvgPoolGrad MaxPool3D MaxPool3DGrad AvgPool3D AvgPool3DGrad FusedBatchNorm',
  'Abs Acos Acosh Asin Asinh Atan Atanh Ceil ClipByValue Cos Cosh Elu EluGrad Erf Exp Expm1 Floor IsFinite IsInf IsNan',
  'LeakyRelu Log Log1p LogicalNot Neg Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Sqrt Square',
  'Step Tanh Add AddN Atan2 Equal FloorDiv Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr Maximum Minimum',
  'Mod Multiply NotEqual Pow Prelu RealDiv SquaredDifference Sub All Any ArgMax ArgMin Max Mean Min Prod Sum Softmax',
  'GatherV2 UnsortedSegmentSum SplitV Concat Pack Unpack Slice StridedSlice Tile Transpose Reverse PadV2 OneHot Select',
  'Cast Cumsum Fill Identity Reshape ExpandDims ZerosLike OnesLike',
  'ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor ResizeNearestNeighborGrad',
].flatMap((names) => names.split(' '));

/** By kernel, the specs that call it, and those of them whose calls are all ours. */
const calls = new Map<string, { specs: number; own: number }>();
/** Specs without a call of the cpu backend's kernels. */
let ownSpecs = 0;

describe('the suite of tfjs-core', () => {
  it('passes, all 3848 specs of it', { timeout: 300_000 }, async () => {
    configure({ threads: 1 });
    let spec = new Map<string, boolean>();
    listen((kernel, own) => spec.set(kernel, own && (spec.get(kernel) ?? true)));
    const { ran, passed, failures, suites, seconds } = await runSuite({
      backend: 'retrograd',
      ...(only && { only }),
      watch: {
        begin: () => {
          spec = new Map();
        },
        end: (name) => {
          if (name.includes('test-retrograd ') && [...spec.values()].every((own) => own)) ownSpecs++;
          for (const [kernel, own] of spec) {
            const count = calls.get(kernel) ?? { specs: 0, own: 0 };
            calls.set(kernel, { specs: count.specs + 1, own: count.own + Number(own) });
          }
        },
      },
    });
    listen(null);
    console.log(
      `${passed} of ${ran} specs passed in ${seconds.toFixed(1)} s, ${ownSpecs} of them on kernels of ours alone`,
    );
    if (only) console.log([...calls].map(([kernel, { specs, own }]) => `${kernel}: ${own} of ${specs}`).join(', '));
    expect(failures).toEqual([]);
    expect(suites).toEqual([]);
    if (!only) expect(ran).toBe(3848);
    expect(passed).toBe(ran);
  });

  it.skipIf(only)('needs kernels of ours alone for all that training calls, complex numbers and text included', () => {
    expect(new Set(trained).size).toBeGreaterThanOrEqual(81);
    const others = trained.filter((kernel) => {
      const { specs = 0, own = -1 } = calls.get(kernel) ?? {};
      return specs !== own;
    });
    expect(others).toEqual([]);
  });

  it.skipIf(only)('is computed by kernels of ours as own-kernels.txt says', async () => {
    const lines = [...calls]
      .filter(([, { own }]) => own > 0)
      .map(([kernel, { specs, own }]) => `${kernel}: ${own === specs ? 'all' : `${own} of ${specs}`}`)
      .sort();
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('own-kernels.txt');
  });
});

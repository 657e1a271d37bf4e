import { beforeAll, describe, expect, it } from 'vitest';
import { autograd, init, scope, type Tensor, tensor } from '../../bindings/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';
import { DATA } from '../../bindings/onnx/messages.ts';
import { decode } from '../../bindings/onnx/proto.ts';
import { readTensor } from '../../bindings/onnx/tensors.ts';
import { HostArray } from '../../bindings/onnx/values.ts';
import { MISSING, type Row, rows } from './small.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** Steps, whole numbers, random numbers, or kinks where the tests have their numbers. */
const NONE = [
  /^test_(acosh|elu|leakyrelu|selu|thresholdedrelu)_example|gridsample_nearest|reduce_log_sum.*empty/,
  /^test_(ceil|floor|round|sign|equal|greater|less|is|not|cast|nonzero|onehot|one_hot|argm|shape|size|eyelike|hardmax)/,
  /^test_(.*quantize|convinteger|basic_convinteger|matmulinteger|qlinear|mod|constantofshape|random|dropout|training)/,
  /^test_(bitcast|melweight|tfidf|roialign|deform_conv)/,
];

beforeAll(() => init({ threads: 1 }));

describe('gradients', () => {
  const checked = rows.filter(({ name, inputs }) => {
    const floats = inputs.some((text) => decode('TensorProto', bytes(text)).dataType === DATA.FLOAT);
    return floats && ![...MISSING, ...NONE].some((pattern) => pattern.test(name));
  });

  it.each(checked)('of $name are what small steps say', async ({ name, model: text, inputs: texts }: Row) => {
    const model = await loadOnnx<Tensor | Tensor[], Tensor[]>(bytes(text));
    const wrong = scope(() => {
      const inputs = texts.map((input, i) => {
        const { type, sizes, data } = readTensor(decode('TensorProto', bytes(input)));
        const x = new HostArray(sizes, Array.from(data)).asTensor(type);
        const scales = i > 0 && /^test_(resize|upsample)/.test(name);
        return type === DATA.FLOAT && !scales ? tensor(x.data, { shape: sizes, requiresGrad: true }) : x;
      });
      const fn = (...xs: Tensor[]): Tensor[] =>
        [model.forward(...xs)].flat().filter(({ requiresGrad }) => requiresGrad);
      if (fn(...inputs).length === 0) return 'no result has a gradient';
      autograd.gradcheck(fn, inputs, { atol: 5e-3, rtol: 1e-2 });
      return null;
    });
    expect(wrong).toBeNull();
  });
});

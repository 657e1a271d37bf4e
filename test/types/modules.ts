// What the types of modules, functions, activations and methods let through, and what they refuse. tsc checks it (npm
// run types, test/declarations.test.ts); nothing runs it.
import { compile, functional as F, init, multinomial, nn, optim, randn, type Tensor, tensor, topk } from 'retrograd';

class Gated extends nn.Module {
  readonly inner = new nn.Linear(4, 4);
  forward(x: Tensor, flag: boolean) {
    return flag ? this.inner.forward(x) : x;
  }
}

class Classifier extends nn.Module {
  readonly gated = new Gated();
  forward(x: Tensor, { scale }: { scale: number }) {
    return { logits: this.gated.forward(x, true).mul(scale), labels: ['a', 'b'] as const };
  }
}

class Cell extends nn.Module {
  forward(x: Tensor, state: [h: Tensor, c: Tensor] | null): [h: Tensor, c: Tensor] {
    return state ?? [x, x];
  }
}

class Double extends nn.Layer {
  forward(x: Tensor): Tensor {
    return x.add(x);
  }
}

/** Modules give what their authors declare. */
export function modules(x: Tensor): void {
  const gated: Tensor = new Gated().forward(x, true);
  const { logits, labels } = new Classifier().forward(gated, { scale: 2 });
  const shape: readonly number[] = logits.shape;
  const first: 'a' = labels[0];
  const [h] = new Cell().forward(x, null);
  const any: nn.Module[] = [new Gated(), new Classifier(), new Cell(), new Double()];
  const parameters: Tensor[] = any.flatMap((module) => module.parameters());
  void [shape, first, h, parameters];
  // @ts-expect-error the author asks for a flag
  new Gated().forward(x);
  // @ts-expect-error the author asks for a boolean
  new Gated().forward(x, 1);
  // @ts-expect-error the result is an object
  new Classifier().forward(x, { scale: 1 }).shape;
  // @ts-expect-error what a module takes is not known of modules in general
  any[0]?.forward(x);
  // One that only holds others.
  class Encoder extends nn.Module {
    readonly layers = [new nn.Linear(2, 2)];
  }
  any.push(new Encoder());
  new Encoder().registerForwardHook((module, args: unknown[], output: unknown) => void [module.layers, args, output]);
  // @ts-expect-error it computes nothing
  new Encoder().forward(x);
}

/** Constructors and methods take PyTorch's positions, or options by name. */
export function signatures(x: Tensor): void {
  const layers: nn.Layer[] = [new nn.Linear(2, 2, false), new nn.Linear(2, 2, { bias: false }), new nn.Linear(2, 2)];
  layers.push(new nn.Conv2d(1, 2, 3, 2, 1), new nn.Conv2d(1, 2, 3, 2, { padding: 'same', groups: 1 }));
  layers.push(
    new nn.Conv2d(1, 2, { kernelSize: 3, padding: 1 }),
    new nn.Conv2d({ inChannels: 1, outChannels: 2, kernelSize: [3, 3], bias: false }),
    new nn.Linear({ inFeatures: 2, outFeatures: 2 }),
    new nn.MaxPool2d({ kernelSize: 2 }),
    // @ts-expect-error outFeatures is missing
    new nn.Linear({ inFeatures: 2 }),
    // @ts-expect-error inChannels comes by position
    new nn.Conv2d(1, { inChannels: 1, outChannels: 2, kernelSize: 3 }),
    // @ts-expect-error a size is no text
    new nn.Conv2d(1, 2, { kernelSize: '3' }),
    new nn.BatchNorm1d(3, 1e-5, null),
    new nn.Softmax(1),
    new nn.Dropout({ p: 0.1 }),
    new nn.MaxPool2d(2, null, 1),
  );
  const model = new nn.Sequential(layers).train(false).train({ mode: true });
  const first: nn.Layer | undefined = model[0];
  const last: nn.Layer = model.at(-1);
  const named: [string, nn.Parameter][] = model.namedParameters('net', { recurse: false });
  const p: nn.Parameter = new nn.Parameter(x, { requiresGrad: false });
  const list = new nn.ModuleList([new Gated(), new Gated()]);
  const gated: Gated = list.at(0);
  const handle: nn.RemovableHandle = gated.registerForwardHook((module, [input, flag], y) => {
    const typed: [Gated, Tensor, boolean, Tensor] = [module, input, flag, y];
    void typed;
  });
  for (const module of model.modules()) module.registerForwardPreHook((_, args: unknown[]) => args);
  nn.init.xavierUniform_(p, { gain: 5 });
  nn.init.kaimingNormal_(p, 0, 'fanOut', { nonlinearity: 'relu' });
  void [first, last, named, handle, nn.summary(model, [1, 2])];
  // @ts-expect-error there is no such option
  new nn.Linear(2, 2, { biass: false });
  // @ts-expect-error a flag
  new nn.Linear(2, 2, 1);
  // @ts-expect-error it has to have a size
  new nn.LayerNorm();
  // @ts-expect-error one argument too many
  model.eval(1);
  // @ts-expect-error a hook is a function
  model.registerForwardHook(1);
}

/** What is required goes by name as well. */
export function byName(x: Tensor, optimizer: optim.SGD): void {
  const { lrScheduler } = optim;
  const schedules: optim.lrScheduler.LRScheduler[] = [
    new lrScheduler.CosineAnnealingLR(optimizer, { tMax: 50, etaMin: 1e-5 }),
    new lrScheduler.StepLR(optimizer, { stepSize: 30, gamma: 0.1 }),
    new lrScheduler.LambdaLR(optimizer, { lrLambda: (epoch) => 0.9 ** epoch }),
    new lrScheduler.OneCycleLR({ optimizer, maxLr: 0.1, totalSteps: 10 }),
    // @ts-expect-error tMax is required
    new lrScheduler.CosineAnnealingLR(optimizer, { etaMin: 1e-5 }),
    // @ts-expect-error a number
    new lrScheduler.StepLR(optimizer, { stepSize: '30' }),
  ];
  const layer = new nn.TransformerEncoderLayer({ dModel: 8, nhead: 2, batchFirst: true });
  const results: Tensor[] = [
    F.softmax(x, { dim: -1 }),
    x.logSoftmax({ dim: 1 }),
    F.maxPool2d(x, { kernelSize: 2, stride: 1 }),
    F.oneHot(x, { numClasses: 3 }),
    F.pad(x, { pad: [1, 1], value: 2 }),
    multinomial(x, { numSamples: 1 }),
    topk(x, { k: 5, dim: 0 }).values,
    x.slice({ dim: 1, start: 2 }),
    new nn.TransformerEncoder(layer, { numLayers: 2 }).forward(x),
    // @ts-expect-error dim is required
    F.softmax(x, {}),
    // @ts-expect-error kernelSize is required
    F.maxPool2d(x, { stride: 1 }),
    // @ts-expect-error no such option
    topk(x, { k: 5, dims: 0 }).values,
  ];
  void [schedules, results, optim.clipGradNorm([x], { maxNorm: 1 }), nn.utils.clipGradNorm_([x], { maxNorm: 1 })];
}

/** Sequential takes layers: from one tensor to one tensor. */
export function layers(): void {
  const model: nn.Layer = new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU(), new Double(), new nn.Sequential());
  const y: Tensor = model.forward(randn([1, 2]));
  void y;
  // @ts-expect-error the second argument of its forward would be missing
  new nn.Sequential(new Gated());
  // @ts-expect-error its result is no tensor
  new nn.Sequential(new Cell());
  class Wrong extends nn.Layer {
    // @ts-expect-error a layer gives a tensor
    forward(x: Tensor): number {
      return x.size;
    }
  }
  void Wrong;
}

/** Activations are classes, with the options of their functions. */
export function activations(): void {
  class Mine extends nn.ELU {}
  const all: nn.Activation[] = [new nn.ReLU(), new nn.ELU(), new nn.ELU({ alpha: 2 }), new Mine({ alpha: 1 })];
  const dim: nn.SoftmaxOptions = { dim: 1 };
  all.push(new nn.Softmax(dim), new nn.GELU({ approximate: 'tanh' }), new nn.Softplus({ beta: 2, threshold: 10 }));
  const elu: nn.ELU = new nn.ELU();
  void elu;
  // @ts-expect-error relu has no options
  new nn.ReLU({ alpha: 1 });
  // @ts-expect-error there is no such option
  new nn.ELU({ beta: 1 });
  // @ts-expect-error there is no such approximation
  new nn.GELU({ approximate: 'sigmoid' });
}

/** Methods have the parameters of the functions, without the first. */
export async function methods(): Promise<void> {
  await init({ locate: (file) => `/wasm/${file}`, threads: 'auto' });
  const x = tensor([[1, 2]], { requiresGrad: true });
  const y: Tensor = x.sum([0, 1], { keepdim: true }).var(0, { correction: 0 }).norm({ p: 1 });
  const parts: Tensor[] = x.split(1, 1);
  x.backward(y, { retainGraph: true });
  const step = compile((a: Tensor) => a.slice(0, 1).flatten().softmax(-1));
  step(parts[0] as Tensor).dispose();
  new optim.AdamW([{ params: [x], lr: 0.1 }], { betas: [0.9, 0.99] });
  // @ts-expect-error there is no such option
  x.sum(0, { keepDim: true });
  // @ts-expect-error concat is a function of a list
  x.concat([x]);
  // @ts-expect-error a program is called as its function is
  step(1);
}

/** Functions take what is optional by position, by name, or positions first; with the places of maxima, two results. */
export function functions(x: Tensor, weight: Tensor, returnIndices: boolean): void {
  const one: Tensor[] = [
    F.maxPool2d(x, 2),
    F.maxPool2d(x, 2, 1, 0),
    F.maxPool2d(x, 2, { stride: 1 }),
    F.maxPool2d(x, 2, 1, { returnIndices: false }),
    F.maxPool2d(x, 2, null, 0, 1, false, false),
    F.adaptiveMaxPool1d(x, 3),
    F.conv2d(x, weight, null, 2, 'same', { groups: 2, layout: 'nhwc' }),
    F.conv2d(x, weight, { bias: null, stride: [1, 2] }),
    F.crossEntropy(x, weight, undefined, null, -1, { labelSmoothing: 0.1 }),
  ];
  const two: [output: Tensor, indices: Tensor][] = [
    F.maxPool2d(x, 2, { returnIndices: true }),
    F.maxPool2d(x, 2, undefined, 1, { returnIndices: true }),
    F.maxPool2d(x, 2, 1, 0, 1, false, true),
    F.adaptiveMaxPool1d(x, 3, true),
    F.adaptiveMaxPool2d(x, [3, null], { returnIndices: true }),
  ];
  const either: Tensor | [Tensor, Tensor] = F.maxPool1d(x, 2, { returnIndices });
  // @ts-expect-error: sums are 'sum'
  F.mseLoss(x, x, { reduction: 'total' });
  // @ts-expect-error: no such option
  F.conv2d(x, weight, { strides: 2 });
  // @ts-expect-error: the layout goes by name only
  F.conv2d(x, weight, null, 1, 0, 1, 1, 'nhwc');
  void [one, two, either];
}

// Losses, and what is drawn at random.

import { onesLike } from '../../creation.ts';
import { cast } from '../../functional/arguments.ts';
import { crossEntropy, nllLoss } from '../../functional/class-loss.ts';
import { dropout } from '../../functional/dropout.ts';
import * as F from '../../functional/elementwise.ts';
import { logSoftmax } from '../../functional/reduction.ts';
import { bernoulli, rand, randn } from '../../random.ts';
import { Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import { type Call, type Family, first, type Operator, type TypeRule } from '../operator.ts';
import { dtypeOf } from '../values.ts';

/** What no class is, where nothing is ignored. */
const NONE = -100;

const settings = (call: Call) => ({
  weight: call.has(2) ? call.float(2) : null,
  ignoreIndex: call.attr('ignore_index') ?? NONE,
  reduction: call.word('reduction', 'mean', 'sum', 'none'),
});

const ofClasses: Operator = {
  takes: 'input target weight? | ignore_index:int reduction=mean',
  run: (call) => nllLoss(call.float(0), call.index(1), settings(call)),
};

const ofScores: Operator = {
  takes: 'scores labels weights? | ignore_index:int reduction=mean',
  types: ({ types }) => [types[0] as number, types[0] as number],
  run: (call) => {
    const x = call.float(0);
    const loss = crossEntropy(x, call.index(1), settings(call));
    return call.wants(1) ? [loss, logSoftmax(x, 1)] : loss;
  },
};

/** In training mode, or where the node says so. */
const dropped: Operator = {
  takes: 'data ratio?# training_mode?# | ratio=0.5 seed:int is_test:int',
  types: first(DATA.BOOL),
  run: (call) => {
    const x = call.x();
    const ratio = call.number(1, call.attr('ratio'));
    // A constant says how the module starts, which its mode has then; see startsInTraining.
    const told = call.has(2) && call.value(2) instanceof Tensor && call.number(2) !== 0;
    const active = (call.training || told) && ratio > 0;
    const mask = (): Tensor => dropout(onesLike(x, { dtype: 'f32' }), ratio);
    if (!call.wants(1)) return active ? F.mul(x, mask()) : x;
    const scaled = active ? mask() : onesLike(x, { dtype: 'f32' });
    return [active ? F.mul(x, scaled) : x, F.ne(scaled, 0)];
  },
};

const dtypeRule: TypeRule = ({ attributes, types }) => [(attributes.dtype as number) || types[0] || DATA.FLOAT];

/** Numbers of a shape that is an attribute, or that of an input. */
const drawn = (takes: string, draw: (call: Call, shape: number[]) => Tensor): Operator => ({
  takes,
  types: dtypeRule,
  run: (call) => {
    const shape = call.has(0) ? call.sizes() : (call.ints('shape') ?? []);
    return cast(draw(call, [...shape]), dtypeOf(call.node.given[0] as number));
  },
});

const normal = (call: Call, shape: number[]): Tensor =>
  F.add(F.mul(randn(shape), call.attr('scale')), call.attr('mean'));
const uniform = (call: Call, shape: number[]): Tensor => {
  const [low, high] = [call.attr('low'), call.attr('high')];
  return F.add(F.mul(rand(shape), high - low), low);
};

export const losses: Family = {
  Bernoulli: {
    takes: 'X | dtype:int seed:float',
    types: dtypeRule,
    run: (call) => cast(bernoulli(call.float()), dtypeOf(call.node.given[0] as number)),
  },
  Dropout: dropped,
  NegativeLogLikelihoodLoss: ofClasses,
  RandomNormal: drawn(' | dtype=1 mean=0 scale=1 seed:float shape!:ints', normal),
  RandomNormalLike: drawn('X | dtype:int mean=0 scale=1 seed:float', normal),
  RandomUniform: drawn(' | dtype=1 high=1 low=0 seed:float shape!:ints', uniform),
  RandomUniformLike: drawn('X | dtype:int high=1 low=0 seed:float', uniform),
  SoftmaxCrossEntropyLoss: ofScores,
};

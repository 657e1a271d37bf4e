// Ways that change how gradients pass the rectifiers.

import { ArgumentError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { attributing } from './method.ts';
import type { Attribution } from './options.ts';
import type { Subject } from './subject.ts';
import { asGradient, type Back, gradientOf, override, recorded, refuse } from './tape.ts';

/** Ops that rectify inside, where no gradient can be reached. */
const INSIDE = /^rnn$/;
const ACTIVATIONS = /^(gelu\w*|silu|mish|elu|selu|leakyRelu|softplus|tanh|sigmoid|hardtanh|clamp)$/;

/** The gradients by `points` where those of each relu are `of` its rule and what it gets. */
function rectified(
  subject: Subject,
  points: readonly Tensor[],
  of: (own: (g: Tensor) => ReturnType<Back>, g: Tensor) => ReturnType<Back>,
): Tensor[] {
  const { op, model } = subject;
  const leaves = subject.leaves(points);
  const { result, steps } = recorded(leaves, () => subject.scores(leaves));
  const reached = steps.map(({ node }) => node);
  const inside = reached.find(({ name, attrs }) => INSIDE.test(name) && JSON.stringify(attrs ?? '').includes('relu'));
  if (inside) refuse(op, model, inside, 'use RNNs without relu');
  const relus = reached.filter(({ name }) => name === 'relu');
  if (relus.length === 0) {
    const others = [...new Set(reached.map(({ name }) => name).filter((name) => ACTIVATIONS.test(name)))];
    throw new ArgumentError(
      `${op}: expected a model with relu, got ${others.length > 0 ? `one with ${others.join(', ')}` : 'one without'}; use saliency() or integratedGradients()`,
    );
  }
  for (const node of relus)
    override(node, (own, o, g, ...rest) => of((next) => own(o, asGradient(node, next), ...rest), gradientOf(node, g)));
  return subject.slopes(result, leaves);
}

/** Gradients of which relu passes on only what is above 0, where its input is, too. */
export const guided = (subject: Subject, points: readonly Tensor[]): Tensor[] =>
  rectified(subject, points, (own, g) => own(g.relu()));

/**
 * The gradient by the inputs, of which each relu passes on only what is positive (Springenberg et al. 2015; Captum's
 * `GuidedBackprop`). It finds the layers nn.ReLU and calls of the function alike.
 * @returns of the shape of each input
 * @throws ArgumentError where the model has no relu
 */
export const guidedBackprop: Attribution = attributing('guidedBackprop', '', (subject: Subject) =>
  guided(subject, subject.inputs),
);

/**
 * The gradient by the inputs, of which each relu passes on what is positive, whatever its input was (Zeiler and Fergus
 * 2014; Captum's `Deconvolution`).
 * @returns of the shape of each input
 * @throws ArgumentError where the model has no relu
 */
export const deconvolution: Attribution = attributing('deconvolution', '', (subject: Subject) =>
  rectified(subject, subject.inputs, (_, g) => ({ x: g.relu() })),
);

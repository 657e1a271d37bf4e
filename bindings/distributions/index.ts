// The namespace `distributions`: numbers that are drawn, and their probabilities, named as torch.distributions has
// them.
export { Normal, Uniform } from './continuous.ts';
export { Bernoulli, Categorical, type ProbabilityOptions, type ProbabilityValue } from './discrete.ts';
export type { Distribution, SampleOptions } from './distribution.ts';
export { Independent } from './independent.ts';
export { klDivergence } from './kl.ts';

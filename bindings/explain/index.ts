// The entry `retrograd/explain`: what of its input a model decides by, as numbers and as pictures.

export type { AttributeOptions } from './options.ts';

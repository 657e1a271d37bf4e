export { type SpectralNormOptions, spectralNorm, type WeightNormOptions, weightNorm } from './norms.ts';
export { type OrthogonalMap, type OrthogonalOptions, orthogonal } from './orthogonal.ts';

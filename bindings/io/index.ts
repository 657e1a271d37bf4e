// The entry `retrograd/io`: what the namespace `io` of the core has, and the files of other libraries.
export * from './core.ts';

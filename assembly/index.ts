// The ABI: every export of the module. No logic.
export * from "./conv/conv";
export * from "./elementwise/activations";
export * from "./elementwise/binary";
export * from "./elementwise/cast";
export * from "./elementwise/compare";
export * from "./elementwise/move";
export * from "./elementwise/trig";
export * from "./elementwise/unary";
export * from "./elementwise/where";
export * from "./gemm/gemm";
export * from "./groupnorm";
export * from "./indexing";
export * from "./loss";
export * from "./norm";
export * from "./optim";
export * from "./pool/average";
export * from "./pool/max";
export * from "./random";
export * from "./reduce";
export * from "./softmax";

/** First address behind the module's static data. */
export function heap_base(): usize {
  return __heap_base;
}

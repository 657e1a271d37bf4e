// The ABI: every export of the module. No logic. Kernels go by their numbers; two are called by name as well.
export { ConvAlgorithm, conv_select_f32 } from "./conv/select";
export { exp_forward_f32 } from "./elementwise/unary";
export { gemm_f32, gemm_set_tile, gemm_tile_count, gemm_workspace_bytes } from "./gemm/gemm";
export { GemmAlgorithm, gemm_select_f32 } from "./gemm/select";
export * from "./generated/exports";
export * from "./program/program";

/** First address behind the module's static data. */
export function heap_base(): usize {
  return __heap_base;
}

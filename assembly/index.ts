// The ABI: every export of the module. No logic.
export { ConvAlgorithm, conv_select_f32 } from "./conv/select";
export { gemm_set_tile, gemm_tile_count, gemm_workspace_bytes } from "./gemm/gemm";
export { GemmAlgorithm, gemm_select_f32 } from "./gemm/select";
export * from "./generated/kernels";
export * from "./program/program";

/** First address behind the module's static data. */
export function heap_base(): usize {
  return __heap_base;
}

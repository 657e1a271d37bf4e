// The ABI: every export of the module. No logic.
export * from "./kernels";
export * from "./program/program";

/** First address behind the module's static data. */
export function heap_base(): usize {
  return __heap_base;
}

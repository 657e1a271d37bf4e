// The ABI: every export of the module. No logic.

/** First address behind the module's static data. */
export function heap_base(): usize {
  return __heap_base;
}

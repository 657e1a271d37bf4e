// What a step takes on many hosts, from what one rank computes and two hosts exchange.
import type { Trained } from './rank.ts';

/** A network between hosts. */
export interface Wire {
  /** Bits a second that each host may send. */
  readonly bits: number;
  /** Seconds that a short message takes from one program to another. */
  readonly latency: number;
}

/**
 * Seconds of a step on so many hosts of one rank: its computation, then a ring of each all-reduce, in which every host
 * sends 2 (N − 1) pieces of 1 / N. What backward hides is left out.
 */
export function predict({ alone, bytes, calls }: Trained, hosts: number, { bits, latency }: Wire): number {
  const sent = ((2 * (hosts - 1)) / hosts) * 8 * bytes;
  return alone + sent / bits + 2 * (hosts - 1) * calls * latency;
}

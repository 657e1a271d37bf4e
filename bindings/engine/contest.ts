// Whether a team is worth its while: engines and containers may speak of more processors than there are, and a team
// whose threads take turns is many times slower than one thread alone.

/** Milliseconds of a steady clock. */
type Clock = () => number;

/** Milliseconds that one side takes in a round, at least, and so many ticks of the clock. */
const ROUND = 0.2;
const TICKS = 5;
/** The first rounds warm both up; the last is played where other programs take the processors for a while. */
const FIRST_ROUNDS = 2;
const MOST_ROUNDS = 12;
/** A clock that ticks more seldom than every so many milliseconds is no good for this. */
const COARSEST = 5;
/** Looks at a clock, after which it stands still: about 5 ms. */
const LOOKS = 100_000;

/** Milliseconds from one tick of the clock to the next; Infinity where it stands still. */
function tick(now: Clock): number {
  let [last, least] = [now(), Number.POSITIVE_INFINITY];
  // The first is cut short by where it starts, and others may be long, where other programs run meanwhile.
  for (let looks = 0, ticks = 0; looks < LOOKS && ticks < 4; looks++) {
    const time = now();
    if (time === last) continue;
    if (ticks++ > 0) least = Math.min(least, time - last);
    last = time;
  }
  return least;
}

/**
 * Whether `team` is faster than `alone`, by the best of a few rounds in turn: about 2 ms, and 10 where it is not. Where
 * the clock cannot tell, it is taken to be.
 */
export function teamPays(team: () => void, alone: () => void, now: Clock): boolean {
  const precision = tick(now);
  if (precision > COARSEST) return true;
  const least = Math.max(ROUND, TICKS * precision);
  let runs = 1;
  const time = (call: () => void): number => {
    const started = now();
    for (let i = 0; i < runs; i++) call();
    return now() - started;
  };
  let [bestTeam, bestAlone] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < MOST_ROUNDS; round++) {
    bestAlone = Math.min(bestAlone, time(alone));
    if (bestAlone < least) {
      // Too short for the clock: from the start, with more.
      runs *= 2;
      bestTeam = bestAlone = Number.POSITIVE_INFINITY;
      round = -1;
      continue;
    }
    bestTeam = Math.min(bestTeam, time(team));
    // Once more alone: the engine may have compiled the hot code between the two.
    if (bestTeam < bestAlone && round >= FIRST_ROUNDS && bestTeam < time(alone)) return true;
  }
  return false;
}

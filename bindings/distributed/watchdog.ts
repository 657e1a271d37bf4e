// A thread beside each rank that sees where it waits in MPI for too long: the rank itself can neither throw nor look
// at a clock there. Threads ask each other, by TCP, how far their ranks are and what they called, to name those that
// lag behind, and those whose calls are others: where these meet nobody ever gets further.
import { textsOf } from './agree.ts';
import { CALLS, type Communicator, HEAD, TOLD } from './mpi/communicator.ts';

/** What the thread is told. */
interface Told {
  readonly pulse: Int32Array;
  readonly rank: number;
  readonly size: number;
  /** Seconds. */
  readonly timeout: number;
  readonly calls: readonly string[];
  /** Of the pulse. */
  readonly told: number;
  readonly head: number;
}

type Load = (name: string) => unknown;

/** What a rank says of itself: how many calls it has begun, which it is in, and the last ones, each at n % told. */
type State = readonly number[];

/**
 * What threads tell each other. Its text goes to the thread, so that it is whole by itself.
 * @returns what asks a rank, by what it said of itself first: its host, a port, and addresses; null: no answer
 */
function talk(load: Load, { pulse }: Told, listening: (self: string) => void): (self: string) => Promise<State | null> {
  const { createServer, connect } = load('node:net') as typeof import('node:net');
  const { hostname, networkInterfaces } = load('node:os') as typeof import('node:os');
  const own = hostname();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    const [call, count, ...last] = pulse;
    socket.end([count, call, ...last].join(' '));
  });
  server.on('error', () => listening(`${own} 0`));
  server.listen(0, () => {
    const { port: number } = server.address() as { readonly port: number };
    const addresses = Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).flatMap(({ internal, family, address }) => (internal || family !== 'IPv4' ? [] : [address])),
    );
    listening([own, number, ...addresses.slice(0, 8)].join(' '));
  });
  const ask = (host: string, at: number): Promise<State | null> =>
    new Promise((done) => {
      let text = '';
      const socket = connect({ host, port: at });
      socket.setTimeout(2000, () => socket.destroy());
      socket.on('data', (bytes) => {
        text += bytes;
      });
      socket.on('error', () => {});
      socket.on('close', () => done(/^\d+( \d+)+$/.test(text) ? text.split(' ').map(Number) : null));
    });
  return async (self) => {
    const [host, at, ...addresses] = self.split(' ');
    const hosts = host === own ? ['127.0.0.1'] : addresses;
    const answers = await Promise.all(hosts.map((each) => ask(each, Number(at))));
    return answers.find((answer) => answer !== null) ?? null;
  };
}

/** What the thread runs; its text goes there as well. */
function watch(load: Load, talking: typeof talk): void {
  const { parentPort, workerData } = load('node:worker_threads') as typeof import('node:worker_threads');
  const { writeSync } = load('node:fs') as typeof import('node:fs');
  const { pulse, rank, size, timeout, calls, told, head } = workerData as Told;
  const port = parentPort as NonNullable<typeof parentPort>;
  const last = calls.length;
  let ranks: readonly string[] = [];
  const ask = talking(load, workerData, (self) => port.postMessage(self));
  port.on('message', (all: readonly string[]) => {
    ranks = all;
  });

  const end = (text: string): void => {
    writeSync(2, `rank ${rank} of ${size}: DistributedError: ${text}\n`);
    // The rank waits in MPI and hears no other signal; mpirun ends the job then.
    process.kill(process.pid, 'SIGKILL');
  };
  const lateOf = (other: number, state: State | null, mine: number): string | null => {
    const [count = 0, inside = 0] = state ?? [];
    if (!state) return `rank ${other}, which does not answer`;
    if (count >= mine && inside !== 0) return null;
    const place = inside === 0 ? 'computes, after' : `waits in ${calls[inside - 1]}, its`;
    return `rank ${other}, which ${place} call ${count} where this one is in its ${mine}th`;
  };
  const nameOf = (word: number): string => {
    const [call, count] = [calls[(word % 32) - 1], Math.floor(word / 32)];
    return count === 0 ? `${call}` : `${call} of ${count} elements`;
  };
  /** What another rank does in the place of this one's call, which it will never make. */
  const otherwise = (other: number, state: State | null, mine: number): string | null => {
    const place = head + (mine % told);
    const [count = 0, inside = 0] = state ?? [];
    const [here, there] = [pulse[place], state?.[place]];
    if (here === last) return null;
    if (inside === last) return `the end of the program of rank ${other}`;
    if (!there || there === here || count < mine || count - mine >= told) return null;
    return `${nameOf(there)} as the ${mine}th call of rank ${other}`;
  };
  const look = async (call: number, mine: number, late: boolean): Promise<void> => {
    const others = Array.from({ length: size }, (_, i) => i).filter((i) => i !== rank);
    const states = await Promise.all(others.map((i) => ask(ranks[i] ?? '')));
    if (Atomics.load(pulse, 1) !== mine || Atomics.load(pulse, 0) === 0) return;
    const list = (name: (other: number, i: number) => string | null): string => {
      const all = others.map(name).filter((text) => text !== null);
      return all.slice(0, 4).join('; ') + (all.length > 4 ? `; and ${all.length - 4} more` : '');
    };
    const astray = list((other, i) => otherwise(other, states[i] ?? null, mine));
    if (astray)
      end(
        `${nameOf(pulse[head + (mine % told)] as number)}: expected all ranks to make the same calls, got ${astray}, where this one waits; give all ranks as many batches, as a DistributedSampler does, and call together what they do together`,
      );
    else if (late)
      end(
        `${calls[call - 1]}: expected all ranks within ${timeout} s, got ${list((other, i) => lateOf(other, states[i] ?? null, mine)) || 'all here, and no answer of MPI'}; see what it does, or allow more: init({ timeout: ${2 * timeout} })`,
      );
  };

  const every = Math.min(1000, Math.max(20, 100 * timeout));
  let [seen, waited, before, next, looks] = [-1, 0, performance.now(), 1000, false];
  setInterval(() => {
    const [call, count, now] = [Atomics.load(pulse, 0), Atomics.load(pulse, 1), performance.now()];
    const waits = call !== 0 && count === seen;
    // A machine that slept did not wait.
    waited = waits ? waited + Math.min(now - before, 2 * every) : 0;
    if (!waits) next = 1000;
    [seen, before] = [count, now];
    const late = waited >= 1000 * timeout;
    if (looks || (!late && waited < next)) return;
    // Ever more seldom: mostly the others compute.
    next *= 2;
    looks = true;
    void look(call, count, late).finally(() => {
      looks = false;
    });
  }, every);
}

/** Watches this rank: a call of MPI that lasts longer than `timeout` seconds ends the job. All ranks call it. */
export async function startWatchdog(communicator: Communicator, timeout: number): Promise<void> {
  const { Worker } = await import('node:worker_threads');
  const { pulse, rank, size } = communicator;
  const workerData: Told = { pulse, rank, size, timeout, calls: CALLS, told: TOLD, head: HEAD };
  const worker = new Worker(`(${watch})(require, ${talk})`, { eval: true, execArgv: [], workerData });
  const address = await new Promise<string>((done, fail) => worker.once('message', done).once('error', fail));
  worker.postMessage(textsOf(communicator, address));
  worker.unref();
}

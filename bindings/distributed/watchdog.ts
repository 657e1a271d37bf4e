// A thread beside each rank that sees where it waits in MPI for too long: the rank itself can neither throw nor look
// at a clock there. Threads ask each other, by TCP, how far their ranks are, to name those that lag behind.
import { textsOf } from './agree.ts';
import { CALLS, type Communicator } from './mpi/communicator.ts';

/** What the thread is told. */
interface Told {
  readonly pulse: Int32Array;
  readonly rank: number;
  readonly size: number;
  /** Seconds. */
  readonly timeout: number;
  readonly calls: readonly string[];
}

/** What the thread runs: its text goes to it, so that it is whole by itself. */
function watch(load: (name: string) => unknown): void {
  const { parentPort, workerData } = load('node:worker_threads') as typeof import('node:worker_threads');
  const { createServer, connect } = load('node:net') as typeof import('node:net');
  const { hostname, networkInterfaces } = load('node:os') as typeof import('node:os');
  const { writeSync } = load('node:fs') as typeof import('node:fs');
  const { pulse, rank, size, timeout, calls } = workerData as Told;
  const port = parentPort as NonNullable<typeof parentPort>;
  const own = hostname();
  /** What each rank said of itself: its host, a port, and addresses. */
  let ranks: readonly string[] = [];

  // How many calls this rank has begun, and whether it is in one.
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${Atomics.load(pulse, 1)} ${Atomics.load(pulse, 0)}`);
  });
  server.on('error', () => port.postMessage(`${own} 0`));
  server.listen(0, () => {
    const { port: number } = server.address() as { readonly port: number };
    const addresses = Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).flatMap(({ internal, family, address }) => (internal || family !== 'IPv4' ? [] : [address])),
    );
    port.postMessage([own, number, ...addresses.slice(0, 8)].join(' '));
  });
  port.on('message', (all: readonly string[]) => {
    ranks = all;
  });

  const ask = (host: string, at: number): Promise<number[] | null> =>
    new Promise((done) => {
      let text = '';
      const socket = connect({ host, port: at });
      socket.setTimeout(2000, () => socket.destroy());
      socket.on('data', (bytes) => {
        text += bytes;
      });
      socket.on('error', () => {});
      socket.on('close', () => done(/^\d+ \d+$/.test(text) ? text.split(' ').map(Number) : null));
    });
  const stateOf = async (other: number): Promise<string | null> => {
    const [host, at, ...addresses] = (ranks[other] ?? '').split(' ');
    const hosts = host === own ? ['127.0.0.1'] : addresses;
    const answers = await Promise.all(hosts.map((each) => ask(each, Number(at))));
    const [count, inside] = answers.find((answer) => answer !== null) ?? [null, 0];
    const mine = Atomics.load(pulse, 1);
    if (count === null) return `rank ${other}, which does not answer`;
    if ((count as number) >= mine && inside !== 0) return null;
    const place = inside === 0 ? 'computes, after' : `waits in ${calls[(inside as number) - 1]}, its`;
    return `rank ${other}, which ${place} call ${count} where this one is in its ${mine}th`;
  };
  const bark = async (call: number): Promise<void> => {
    const others = Array.from({ length: size }, (_, i) => i).filter((i) => i !== rank);
    const late = (await Promise.all(others.map(stateOf))).filter((text) => text !== null);
    const shown = late.slice(0, 4).join('; ') + (late.length > 4 ? `; and ${late.length - 4} more` : '');
    writeSync(
      2,
      `rank ${rank} of ${size}: DistributedError: ${calls[call - 1]}: expected all ranks within ${timeout} s, got ${shown || 'all here, and no answer of MPI'}; see what it does, or allow more: init({ timeout: ${2 * timeout} })\n`,
    );
    // The rank waits in MPI and hears no other signal; mpirun ends the job then.
    process.kill(process.pid, 'SIGKILL');
  };

  const every = Math.min(1000, Math.max(20, 100 * timeout));
  let [seen, waited, last] = [-1, 0, performance.now()];
  const timer = setInterval(() => {
    const [call, count, now] = [Atomics.load(pulse, 0), Atomics.load(pulse, 1), performance.now()];
    // A machine that slept did not wait.
    waited = call !== 0 && count === seen ? waited + Math.min(now - last, 2 * every) : 0;
    [seen, last] = [count, now];
    if (waited < 1000 * timeout) return;
    clearInterval(timer);
    void bark(call);
  }, every);
}

/** Watches this rank: a call of MPI that lasts longer than `timeout` seconds ends the job. All ranks call it. */
export async function startWatchdog(communicator: Communicator, timeout: number): Promise<void> {
  const { Worker } = await import('node:worker_threads');
  const { pulse, rank, size } = communicator;
  const workerData: Told = { pulse, rank, size, timeout, calls: CALLS };
  const worker = new Worker(`(${watch})(require)`, { eval: true, execArgv: [], workerData });
  const address = await new Promise<string>((done, fail) => worker.once('message', done).once('error', fail));
  worker.postMessage(textsOf(communicator, address));
  worker.unref();
}

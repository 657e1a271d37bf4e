// Hosts that are network namespaces of this machine, on a switch between them: Linux, for root alone. What they send is
// limited by tbf, and where the kernel has netem, it is late as well.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Place } from './job.ts';

/** @throws Error with what the command said */
function ip(...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** How mpirun starts its daemon on a host: the name of a namespace is the address of the host. */
const AGENT = '#!/bin/sh\nhost=$1\nshift\nexec ip netns exec "$host" sh -c "$*"\n';

/** What the network between hosts is like. */
export interface Network {
  /** Bits a second that each host may send, and get. */
  readonly bits: number;
  /** Seconds that each message is late, where the kernel has netem. @defaultValue 0 */
  readonly delay?: number;
}

export class Hosts {
  /** A network of its own for each process. */
  readonly #net = `10.${10 + (process.pid % 200)}.${(process.pid >> 8) % 250}`;
  readonly #folder = mkdtempSync(join(tmpdir(), 'retrograd-hosts-'));
  readonly #count: number;
  readonly #made: string[] = [];
  /** Whether messages can be late: the kernel has netem. */
  readonly delays: boolean;

  /** @throws Error where namespaces cannot be made */
  constructor(count: number, network: Network) {
    this.#count = count;
    writeFileSync(join(this.#folder, 'agent'), AGENT, { mode: 0o755 });
    try {
      this.#make(this.#switch);
      ip('-n', this.#switch, 'link', 'add', 'bridge', 'type', 'bridge');
      ip('-n', this.#switch, 'link', 'set', 'bridge', 'up');
      for (let i = 1; i <= count; i++) this.#connect(i);
      this.limit(network);
      this.delays = this.#tc(this.#switch, 'lo', ['netem', 'delay', '1ms']);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  get #switch(): string {
    return `${this.#net}.254`;
  }

  #host(i: number): string {
    return `${this.#net}.${i}`;
  }

  #make(name: string): void {
    ip('netns', 'add', name);
    this.#made.push(name);
  }

  #connect(i: number): void {
    const host = this.#host(i);
    this.#make(host);
    ip('link', 'add', 'wire', 'netns', host, 'type', 'veth', 'peer', 'name', `port${i}`, 'netns', this.#switch);
    ip('-n', this.#switch, 'link', 'set', `port${i}`, 'master', 'bridge', 'up');
    ip('-n', host, 'addr', 'add', `${host}/24`, 'dev', 'wire');
    for (const device of ['lo', 'wire']) ip('-n', host, 'link', 'set', device, 'up');
  }

  #tc(namespace: string, device: string, discipline: readonly string[]): boolean {
    const command = ['netns', 'exec', namespace, 'tc', 'qdisc', 'replace', 'dev', device, 'root', ...discipline];
    return spawnSync('ip', command).status === 0;
  }

  /** From now on the network is like that. @throws Error where the kernel has no tbf, or no netem for a delay */
  limit({ bits, delay = 0 }: Network): void {
    const tbf = ['tbf', 'rate', `${bits}bit`, 'burst', '128k', 'latency', '100ms'];
    for (let i = 1; i <= this.#count; i++) {
      if (!this.#tc(this.#host(i), 'wire', tbf)) throw new Error('tc: expected the kernel to have tbf, got none');
      const late = ['netem', 'delay', `${Math.round(1e6 * delay)}us`];
      if (!this.#tc(this.#switch, `port${i}`, delay > 0 ? late : tbf)) throw new Error('tc: the kernel has no netem');
    }
  }

  /** For runRanks(): a rank on each host. */
  get place(): Place {
    const hosts = Array.from({ length: this.#count }, (_, i) => `${this.#host(i + 1)}:1`);
    const net = `${this.#net}.0/24`;
    // Processes of one machine would share memory.
    const transport = { pml: 'ob1', btl: 'tcp,self', btl_tcp_if_include: net, oob_tcp_if_include: net };
    const settings = {
      ...transport,
      plm_rsh_agent: join(this.#folder, 'agent'),
      ...(this.#count > availableParallelism() && { mpi_yield_when_idle: '1' }),
    };
    return {
      before: ['ip', 'netns', 'exec', this.#host(1)],
      options: ['--host', hosts.join(), ...Object.entries(settings).flatMap(([key, value]) => ['--mca', key, value])],
    };
  }

  dispose(): void {
    for (const name of this.#made.splice(0)) spawnSync('ip', ['netns', 'del', name]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Why there are no hosts, or ''. */
export function hostsMissing(): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces are for root on Linux';
  try {
    new Hosts(1, { bits: 1e9 }).dispose();
    return '';
  } catch (error) {
    return (error as Error).message.trim();
  }
}

// Hosts that are network namespaces of this machine, on a switch between them: Linux, for root alone. What they send is
// limited by tbf, and late by netem, or, where the kernel has none, by a switch of our own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Place, sourceOf } from './job.ts';

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
  /** Seconds that each message is late. @defaultValue 0 */
  readonly delay?: number;
}

/** What makes messages late; null: there is neither netem nor a compiler of C. */
export type LateBy = 'netem' | 'relay' | null;

export class Hosts {
  /** A network of its own for each process. */
  readonly #net = `10.${10 + (process.pid % 200)}.${(process.pid >> 8) % 250}`;
  readonly #folder = mkdtempSync(join(tmpdir(), 'retrograd-hosts-'));
  readonly #count: number;
  readonly #made: string[] = [];
  /** What makes messages late. */
  readonly lateBy: LateBy;
  /** The process of relay.c that hands frames on now, or 0. */
  #relay = 0;

  /** @throws Error where namespaces cannot be made */
  constructor(count: number, network: Network) {
    this.#count = count;
    writeFileSync(join(this.#folder, 'agent'), AGENT, { mode: 0o755 });
    try {
      this.#make(this.#switch);
      ip('-n', this.#switch, 'link', 'add', 'bridge', 'type', 'bridge');
      ip('-n', this.#switch, 'link', 'set', 'bridge', 'up');
      for (let i = 1; i <= count; i++) this.#connect(i);
      this.lateBy = this.#tc(this.#switch, 'lo', ['netem', 'delay', '1ms']) ? 'netem' : this.#compileRelay();
      this.limit(network);
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

  get #program(): string {
    return join(this.#folder, 'relay');
  }

  #compileRelay(): LateBy {
    return spawnSync('cc', ['-O2', '-o', this.#program, sourceOf('relay.c')]).status === 0 ? 'relay' : null;
  }

  #endRelay(): void {
    // It may have ended with its devices.
    if (this.#relay !== 0) spawnSync('kill', [String(this.#relay)]);
    this.#relay = 0;
  }

  /** Has the relay stand in the place of the bridge, or the bridge where no message is late. */
  #relayBy(delay: number): void {
    this.#endRelay();
    ip('-n', this.#switch, 'link', 'set', 'bridge', delay > 0 ? 'down' : 'up');
    if (delay === 0) return;
    const ports = Array.from({ length: this.#count }, (_, i) => `port${i + 1}`);
    const relay = [this.#program, String(Math.round(1e6 * delay)), String(process.pid), ...ports];
    const command = ['netns', 'exec', this.#switch, ...relay];
    const { status, stdout, stderr } = spawnSync('ip', command, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`relay: ${stderr}`);
    this.#relay = Number(stdout);
  }

  /** From now on the network is like that. @throws Error where the kernel has no tbf, or nothing makes messages late */
  limit({ bits, delay = 0 }: Network): void {
    if (delay > 0 && this.lateBy === null) throw new Error('hosts: expected netem or cc for a delay, got neither');
    const tbf = ['tbf', 'rate', `${bits}bit`, 'burst', '128k', 'latency', '100ms'];
    const late = ['netem', 'delay', `${Math.round(1e6 * delay)}us`];
    for (let i = 1; i <= this.#count; i++) {
      if (!this.#tc(this.#host(i), 'wire', tbf)) throw new Error('tc: expected the kernel to have tbf, got none');
      this.#tc(this.#switch, `port${i}`, delay > 0 && this.lateBy === 'netem' ? late : tbf);
    }
    if (this.lateBy === 'relay') this.#relayBy(delay);
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
    this.#endRelay();
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

// Where event files go: into folders, or into memory. Loaded when something is written.
import { eventOf, versionAt } from './events.ts';
import { joined } from './messages.ts';
import type { Pending } from './pending.ts';

/** Where a writer writes to. */
export interface Place {
  /** The folder; null: the folder that PyTorch would take. */
  readonly logDir: string | null;
  readonly comment: string;
  readonly suffix: string;
  readonly inMemory: boolean;
}

let opened = 0;

/** The files of a writer, one for each run. */
export class EventFiles {
  readonly #place: Place;
  /** Paths by run. */
  readonly #paths = new Map<string, string>();
  /** Bytes by path, where they stay in memory. */
  readonly #memory = new Map<string, Uint8Array[]>();
  #folder: string | null;

  constructor(place: Place) {
    this.#place = place;
    this.#folder = place.logDir;
  }

  /** Writes events in order, behind those that there are. */
  async write(events: readonly Pending[]): Promise<void> {
    const byRun = new Map<string, Uint8Array[]>();
    for (const event of events) {
      const run = byRun.get(event.run) ?? [];
      byRun.set(event.run, run);
      run.push(await eventOf(event));
    }
    for (const [run, records] of byRun) {
      const isNew = !this.#paths.has(run);
      const path = this.#paths.get(run) ?? (await this.#path(run));
      this.#paths.set(run, path);
      await this.#append(path, joined(isNew ? [versionAt(Date.now() / 1000), ...records] : records));
    }
  }

  files(): Record<string, Uint8Array> {
    return Object.fromEntries([...this.#memory].map(([path, parts]) => [path, joined(parts)]));
  }

  async #path(run: string): Promise<string> {
    const now = new Date();
    const seconds = Math.floor(now.getTime() / 1000);
    const host = this.#place.inMemory ? 'memory' : (await import('node:os')).hostname();
    const pid = this.#place.inMemory ? 0 : globalThis.process.pid;
    const day = now.toDateString().slice(4, 10).replace(' ', '');
    const time = now.toTimeString().slice(0, 8).replaceAll(':', '-');
    this.#folder ??= `runs/${day}_${time}_${host}${this.#place.comment}`;
    const name = `events.out.tfevents.${seconds}.${host}.${pid}.${opened++}${this.#place.suffix}`;
    return [this.#folder, run, name].filter(Boolean).join('/');
  }

  async #append(path: string, bytes: Uint8Array): Promise<void> {
    if (this.#place.inMemory) {
      const parts = this.#memory.get(path) ?? [];
      this.#memory.set(path, parts);
      parts.push(bytes);
      return;
    }
    const [fs, paths] = await Promise.all([import('node:fs/promises'), import('node:path')]);
    await fs.mkdir(paths.dirname(path), { recursive: true });
    await fs.appendFile(path, bytes);
  }
}

// Callbacks, called in order, without waiting where nobody has to be waited for.
import { ArgumentError } from '../memory/errors.ts';
import type { Callback, Figures, Run } from './callbacks/callback.ts';
import { isPromise } from './feed.ts';

/** What callbacks are told. */
export const EVENTS = [
  'onFitStart',
  'onEpochStart',
  'onStepEnd',
  'onValidationStart',
  'onValidationEnd',
  'onEpochEnd',
  'onFitEnd',
] as const;
export type Event = (typeof EVENTS)[number];

type Told = void | PromiseLike<void>;

/** What a callback is called in states. */
export const nameOf = (callback: Callback): string => callback.name ?? callback.constructor.name;

export class Listeners {
  #all: readonly Callback[];
  /** Whether this rank prints and writes. */
  readonly #first: boolean;
  readonly #by = new Map<Event, readonly Callback[]>();

  /** Those that save the state of others come last. @throws ArgumentError where two states have one name */
  constructor(callbacks: readonly Callback[], first = true) {
    this.#first = first;
    this.#all = [...callbacks.filter(({ late }) => !late), ...callbacks.filter(({ late }) => late)];
    const names = callbacks.filter(({ state }) => state).map(nameOf);
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined)
      throw new ArgumentError(
        `Trainer: expected callbacks whose states have names of their own, got two called ${twice}; give one a field name`,
      );
  }

  /** Tells one more, after the others. */
  add(callback: Callback): void {
    this.#all = [...this.#all, callback];
    this.#by.clear();
  }

  /** Tells all, one after the other. @returns a promise where one of them is asynchronous */
  tell(event: Event, run: Run, figures: Readonly<Figures> = {}): Told {
    let list = this.#by.get(event);
    if (!list) {
      list = this.#all.filter((each) => each[event] && this.#hears(each));
      this.#by.set(event, list);
    }
    return tellFrom(list, 0, event, run, figures);
  }

  #hears(callback: Callback): boolean {
    return this.#first || callback.firstRankOnly !== true;
  }

  /** Tells of an error. Those that throw anew let the others know as well. */
  async tellError(run: Run, error: unknown): Promise<void> {
    for (const callback of this.#all)
      try {
        if (this.#hears(callback)) await callback.onError?.(run, error);
      } catch (another) {
        console.error(`Trainer: onError of ${nameOf(callback)} failed:`, another);
      }
  }

  state(): Record<string, unknown> {
    return Object.fromEntries(
      this.#all.flatMap((each): [string, unknown][] => (each.state ? [[nameOf(each), each.state()]] : [])),
    );
  }

  /** @throws ArgumentError where there is a state of a callback that is not here */
  loadState(states: Readonly<Record<string, unknown>>): void {
    const known = new Map(this.#all.map((each) => [nameOf(each), each]));
    const lost = Object.keys(states).filter((name) => !known.get(name)?.loadState);
    if (lost.length > 0)
      throw new ArgumentError(
        `decodeCheckpoint: expected the callbacks that the checkpoint was saved with, got none called ${lost.join(', ')}`,
      );
    for (const [name, state] of Object.entries(states)) known.get(name)?.loadState?.(state as never);
  }
}

function tellFrom(list: readonly Callback[], from: number, event: Event, run: Run, figures: Readonly<Figures>): Told {
  for (let i = from; i < list.length; i++) {
    const told = list[i]?.[event]?.(run, figures);
    if (isPromise(told)) return told.then(() => tellFrom(list, i + 1, event, run, figures));
  }
}

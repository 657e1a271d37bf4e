// Where progress is shown: on a terminal, as lines, in a page.
import type { Parts } from './pace.ts';

/** What of a stream is used, such as `process.stdout`. */
export interface StreamLike {
  /** Whether it is a terminal. */
  readonly isTTY?: boolean | undefined;
  /** Letters in a line. */
  readonly columns?: number | undefined;
  /** Whether it shows colours. */
  hasColors?(): boolean;
  /** Writes text. */
  write(text: string): unknown;
}

/** What of an element of a page is used. */
export interface ElementLike {
  /** Makes elements. */
  readonly ownerDocument: {
    /** Makes one. */
    createElement(name: string): object;
  };
  /** Puts elements in place of those inside. */
  replaceChildren(...children: never[]): void;
}

/** Shows how a training goes on. */
export interface View {
  /** Milliseconds between two looks. */
  readonly every: number;
  /** Whether the first look comes only after that time. */
  readonly waits: boolean;
  show(parts: Parts): void;
  /** Leaves a line for good. */
  leave(line: string): void;
  /** Gives the terminal back. */
  end(): void;
}

const percent = (share: number | null): string => (share === null ? '' : `${Math.floor(share * 100)}%`.padStart(4));

/** A bar that is drawn over and over: a loop that trains gives timers no turn. */
export function onTerminal(stream: StreamLike): View {
  // https://no-color.org: any value but the empty one.
  const colours = !globalThis.process?.env?.NO_COLOR && stream.hasColors?.() === true;
  const paint = (code: number, text: string): string => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
  let drawn = false;
  const clear = (): void => {
    if (drawn) stream.write('\r\x1b[K');
  };
  return {
    every: 100,
    waits: false,
    show({ label, share, figures, rate, left }) {
      // What the numbers leave of the line.
      const size = Math.max(5, Math.min(30, (stream.columns ?? 80) - 74));
      const full = Math.round((share ?? 0) * size);
      const bar = share === null ? '' : `${paint(36, '█'.repeat(full) + '░'.repeat(size - full))} `;
      const line = `${paint(1, label)} ${bar}${percent(share)}  ${figures}  ${rate}  ${left}`;
      stream.write(`${drawn ? '' : '\x1b[?25l'}\r${line}\x1b[K`);
      drawn = true;
    },
    leave(line) {
      clear();
      stream.write(`${line}\n`);
    },
    end() {
      clear();
      if (drawn) stream.write('\x1b[?25h'); // the cursor
      drawn = false;
    },
  };
}

/** A line every two seconds. */
export const asLines = (write: (line: string) => void): View => ({
  every: 2000,
  waits: true,
  show({ label, share, figures, rate, left }) {
    write([`${label} ${percent(share)}`, figures, rate, left].join('  ').trimEnd());
  },
  leave: write,
  end() {},
});

/** A `<progress>` and a line of text. */
export function inPage(element: ElementLike): View {
  const make = (name: string): Record<string, unknown> =>
    element.ownerDocument.createElement(name) as Record<string, unknown>;
  const [bar, text] = [make('progress'), make('div')];
  (bar.setAttribute as (name: string, value: string) => void)('aria-label', 'Training');
  bar.max = 1;
  element.replaceChildren(bar as never, text as never);
  return {
    every: 100,
    waits: false,
    show({ label, share, figures, rate, left }) {
      if (share !== null) bar.value = share;
      text.textContent = [label, figures, rate, left].filter(Boolean).join(' · ');
    },
    leave(line) {
      bar.value = 1;
      text.textContent = line;
    },
    end() {},
  };
}

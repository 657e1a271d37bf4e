// Lines through parallel axes: what many things with several features each have in common.
import { escaped, short } from './html.ts';

/** An axis, and where each line crosses it: numbers, or words; undefined: it does not. */
export interface ParallelAxis {
  readonly name: string;
  readonly values: readonly unknown[];
}

const [STEP, HEIGHT, TOP, BOTTOM, SIDE] = [150, 320, 40, 16, 70];
/** Beyond it, numbers of an axis that differ by so much are told by their logarithms. */
const WIDE = 50;

interface Scale {
  place(value: unknown): number;
  readonly ticks: readonly (readonly [place: number, text: string])[];
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

function scaleOf(values: readonly unknown[]): Scale {
  const known = values.filter((value) => value !== undefined && value !== null);
  if (!known.every((value) => typeof value === 'number')) {
    const words = [...new Set(known.map(wordOf))].sort();
    const at = (i: number): number => (words.length === 1 ? 0.5 : i / (words.length - 1));
    return {
      place: (value) => at(words.indexOf(wordOf(value))),
      ticks: words.map((word, i) => [at(i), word.slice(0, 14)]),
    };
  }
  const numbers = known as number[];
  const [low, high] = [
    numbers.reduce((a, b) => Math.min(a, b), Infinity),
    numbers.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  const log = low > 0 && high / low > WIDE;
  const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high];
  const place = (value: unknown): number => {
    const x = log ? Math.log(value as number) : (value as number);
    return from === to ? 0.5 : (x - from) / (to - from);
  };
  const value = (at: number): number => (log ? Math.exp(from + at * (to - from)) : from + at * (to - from));
  // Few whole numbers are told each.
  const counted = !log && numbers.every(Number.isInteger) && high - low <= 8;
  const whole = Array.from({ length: counted ? high - low + 1 : 0 }, (_, i) => place(low + i));
  const ticks = from === to ? [0.5] : counted ? whole : [0, 0.25, 0.5, 0.75, 1];
  return { place, ticks: ticks.map((at) => [at, short(value(at), 3)]) };
}

/**
 * A picture of lines, as many as each axis has values, the best first.
 * @param dashed which lines are
 */
export function parallelCoordinates(axes: readonly ParallelAxis[], dashed: readonly boolean[], label: string): string {
  const width = 2 * SIDE + STEP * Math.max(1, axes.length - 1);
  const scales = axes.map(({ values }) => scaleOf(values));
  const up = (place: number): number => HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
  const drawn = axes.map(({ name }, i) => {
    const x = SIDE + i * STEP;
    const ticks = (scales[i] as Scale).ticks.map(
      ([place, text]) =>
        `<text x="${x - 6}" y="${up(place).toFixed(1)}" dy=".35em" text-anchor="end">${escaped(text)}</text>`,
    );
    return `<path d="M${x} ${TOP}V${HEIGHT - BOTTOM}" style="stroke:var(--line);stroke-width:1px"/><text x="${x}" y="${TOP - 16}" text-anchor="middle" font-weight="650">${escaped(name.slice(0, 20))}</text>${ticks.join('')}`;
  });
  const best = Math.max(1, Math.ceil(dashed.length / 10));
  const lines = dashed.map((isDashed, line) => {
    let [path, pen] = ['', 'M'];
    for (const [i, { values }] of axes.entries()) {
      const value = values[line];
      if (value === undefined || value === null) continue;
      path += `${pen}${SIDE + i * STEP} ${up((scales[i] as Scale).place(value)).toFixed(1)}`;
      pen = 'L';
    }
    const among = line < best ? 1 : 0.7 - 0.55 * ((line - best) / Math.max(1, dashed.length - best));
    const look = `stroke="var(--series-${line < best ? 1 : 0})" stroke-width="${line < best ? 2.5 : 1.5}" opacity="${among.toFixed(2)}"`;
    return `<path d="${path}" fill="none" ${look}${isDashed ? ' stroke-dasharray="5 4"' : ''}/>`;
  });
  // The best are drawn last, and so lie above the others.
  return `<svg viewBox="0 0 ${width} ${HEIGHT}" style="min-width:${Math.min(width, 110 * axes.length)}px" role="img" aria-label="${escaped(label)}">${lines.reverse().join('')}<g style="paint-order:stroke;stroke:var(--card);stroke-width:3px">${drawn.join('')}</g></svg>`;
}

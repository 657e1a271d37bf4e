// Pictures of numbers as SVG, in the colours of the page that they stand in.
import { COLOURS, escaped, short } from './html.ts';
import { pngUrl } from './png.ts';

/** One line of a chart. Places without a finite y are gaps. */
export interface Line {
  readonly label: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** The number of its colour. @defaultValue its place among the lines */
  readonly colour?: number;
  /** Thin and pale, without a place in the legend: what a smoothed line stands over. @defaultValue `false` */
  readonly faint?: boolean;
}

export interface ChartOptions {
  /** What the picture shows, for those who hear it. */
  readonly label: string;
  /** Logarithmic axes; what is not positive is a gap. @defaultValue `false` */
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Places to mark by a dashed line across. @defaultValue `[]` */
  readonly marks?: readonly number[];
  /** Whether the legend, of one line too, has the last value of each. @defaultValue `false` */
  readonly tells?: boolean;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 300, 72, 14, 10, 30];

/** More points than pixels show nothing more: each column of pixels keeps its lowest and highest. */
const MOST_POINTS = 2 * WIDTH;

/** From numbers to places on one axis, and where its ticks are. */
class Axis {
  readonly #low: number;
  readonly #high: number;
  readonly #log: boolean;

  constructor(values: readonly number[], log: boolean) {
    this.#log = log;
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of values) {
      const at = this.#scaled(value);
      if (!Number.isFinite(at)) continue;
      low = Math.min(low, at);
      high = Math.max(high, at);
    }
    if (low > high) [low, high] = [0, 1];
    if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
    [this.#low, this.#high] = [low, high];
  }

  #scaled(value: number): number {
    return this.#log ? (value > 0 ? Math.log10(value) : Number.NaN) : value;
  }

  /** Its ends, of which a logarithmic one tells the logarithms. */
  get ends(): readonly [low: number, high: number] {
    return [this.#low, this.#high];
  }

  /** 0 at the lowest value and 1 at the highest; NaN for a gap. */
  place(value: number): number {
    return (this.#scaled(value) - this.#low) / (this.#high - this.#low);
  }

  /** About five round numbers. */
  ticks(): number[] {
    const [low, high] = [this.#low, this.#high];
    if (this.#log && high - low >= 1) {
      const step = Math.max(1, Math.ceil((high - low) / 5));
      const first = Math.floor(low);
      // Of few decades 2 and 5 as well.
      const within = high - low <= 3.5 ? [1, 2, 5] : [1];
      const decades = Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => first + i * step);
      const all = decades.flatMap((decade) => within.map((digit) => digit * 10 ** decade));
      return all.filter((tick) => Math.log10(tick) >= low - 1e-9 && Math.log10(tick) <= high + 1e-9);
    }
    const [from, to] = this.#log ? [10 ** low, 10 ** high] : [low, high];
    const raw = (to - from) / 5;
    const unit = 10 ** Math.floor(Math.log10(raw));
    const step = unit * ([1, 2, 5].find((factor) => factor * unit >= raw) ?? 10);
    const first = Math.ceil(from / step);
    return Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  }
}

/** Indices of `line` to draw: all, or of each stretch the lowest and the highest. */
function thinned({ y }: Line): number[] {
  const count = y.length;
  if (count <= MOST_POINTS) return Array.from({ length: count }, (_, i) => i);
  const stretch = count / (MOST_POINTS / 2);
  const kept: number[] = [];
  for (let from = 0; from < count; from += stretch) {
    let [low, high] = [Math.floor(from), Math.floor(from)];
    for (let i = low; i < Math.min(count, Math.floor(from + stretch)); i++) {
      if ((y[i] as number) < (y[low] as number)) low = i;
      if ((y[i] as number) > (y[high] as number)) high = i;
    }
    kept.push(...(low < high ? [low, high] : low > high ? [high, low] : [low]));
  }
  return kept;
}

/** @param tells whether it has the last value of each */
const legend = (lines: readonly Line[], tells: boolean): string =>
  `<ul class="legend">${lines
    .map(({ label, colour, faint, y }, i) => {
      if (faint) return '';
      const last = tells && y.length > 0 ? (y[y.length - 1] as number) : Number.NaN;
      const value = Number.isFinite(last) ? ` <b>${short(last, 3)}</b>` : '';
      return `<li><i style="background:var(--series-${(colour ?? i) % COLOURS})"></i>${escaped(label)}${value}</li>`;
    })
    .join('')}</ul>`;

/** From numbers to places in a chart, and its axes as SVG. */
interface Frame {
  across(x: number): number;
  up(y: number): number;
  readonly axes: string;
  /** The ends of both axes and whether they are logarithmic, as JSON for a script that reads the chart. */
  readonly ends: string;
}

function frameOf(xs: readonly number[], ys: readonly number[], logX: boolean, logY: boolean): Frame {
  const [x, y] = [new Axis(xs, logX), new Axis(ys, logY)];
  const across = (value: number) => LEFT + x.place(value) * (WIDTH - LEFT - RIGHT);
  const up = (value: number) => HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM);
  const grid = y.ticks().map((tick) => {
    const at = up(tick).toFixed(1);
    return `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="var(--grid)"/><text x="${LEFT - 6}" y="${at}" dy=".35em" text-anchor="end">${short(tick, 4)}</text>`;
  });
  const under = x.ticks().map((tick) => {
    const at = across(tick).toFixed(1);
    return `<text x="${at}" y="${HEIGHT - 8}" text-anchor="middle">${short(tick, 6)}</text>`;
  });
  const ends = JSON.stringify([...x.ends, logX, ...y.ends, logY]);
  return { across, up, axes: [...grid, ...under].join(''), ends };
}

/** Lines over one pair of axes, with a legend under them where there are several. */
export function lineChart(lines: readonly Line[], options: ChartOptions): string {
  const { label, logX = false, logY = false, marks = [], tells = false } = options;
  const all = (pick: 'x' | 'y') => lines.flatMap((line) => thinned(line).map((i) => line[pick][i] as number));
  const { across, up, axes, ends } = frameOf([...all('x'), ...marks], all('y'), logX, logY);
  const marked = marks.map(
    (mark) =>
      `<path d="M${across(mark).toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}" stroke="var(--line)" stroke-dasharray="3 4"/>`,
  );
  const drawn = lines.map((line, place) => {
    const colour = line.colour ?? place;
    let [path, pen, dots] = ['', 'M', ''];
    for (const i of thinned(line)) {
      const [px, py] = [across(line.x[i] as number), up(line.y[i] as number)];
      const isPoint = Number.isFinite(px) && Number.isFinite(py);
      if (isPoint) path += `${pen}${px.toFixed(1)} ${py.toFixed(1)}`;
      if (isPoint && line.y.length < 30)
        dots += `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="3" fill="var(--series-${colour % COLOURS})"/>`;
      pen = isPoint ? 'L' : 'M';
    }
    const dash = colour >= COLOURS ? ' stroke-dasharray="6 4"' : '';
    const look = line.faint ? 'stroke-width="1" opacity=".3"' : 'stroke-width="2"';
    return `<path${line.faint ? '' : ' class="line"'} d="${path}" fill="none" stroke="var(--series-${colour % COLOURS})" stroke-linejoin="round" ${look}${dash}><title>${escaped(line.label)}</title></path>${line.faint ? '' : dots}`;
  });
  const inside = [axes, ...marked, ...drawn].join('');
  const named = tells || lines.length > 1 ? legend(lines, tells) : '';
  const frame = [LEFT, RIGHT, TOP, BOTTOM].join(' ');
  return `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" data-frame="${frame}" data-ends="${ends}" role="img" aria-label="${escaped(label)}">${inside}</svg>${named}`;
}

/** Points of a scatter chart that are drawn at most: more show nothing more. */
const MOST_DOTS = 1500;

/** Points of x and y, and the line where both are the same. */
export function scatterChart(x: ArrayLike<number>, y: ArrayLike<number>, label: string): string {
  const step = Math.max(1, Math.ceil(x.length / MOST_DOTS));
  const places = Array.from({ length: Math.ceil(x.length / step) }, (_, i) => i * step);
  const [xs, ys] = [places.map((i) => x[i] as number), places.map((i) => y[i] as number)];
  const { across, up, axes } = frameOf(xs, ys, false, false);
  const [low, high] = [Math.max(least(xs), least(ys)), Math.min(most(xs), most(ys))];
  const line =
    low < high
      ? `<path d="M${across(low).toFixed(1)} ${up(low).toFixed(1)}L${across(high).toFixed(1)} ${up(high).toFixed(1)}" stroke="var(--soft)" stroke-dasharray="4 4"/>`
      : '';
  const dots = xs.flatMap((value, i) => {
    const [px, py] = [across(value), up(ys[i] as number)];
    return Number.isFinite(px) && Number.isFinite(py) ? `M${px.toFixed(1)} ${py.toFixed(1)}h0` : [];
  });
  return `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(label)}">${axes}${line}<path d="${dots.join('')}" stroke="var(--series-0)" stroke-width="6" stroke-linecap="round" opacity=".5"/></svg>`;
}

export const least = (values: readonly number[]): number =>
  values.reduce((a, b) => (b < a ? b : a), Number.POSITIVE_INFINITY);
export const most = (values: readonly number[]): number =>
  values.reduce((a, b) => (b > a ? b : a), Number.NEGATIVE_INFINITY);

/** Bars side by side, each with its words. */
export function bars(values: readonly (readonly [label: string, count: number])[], label: string): string {
  const [width, height] = [240, 60];
  const highest = values.reduce((high, [, count]) => Math.max(high, count), 1e-300);
  const step = width / Math.max(1, values.length);
  const rects = values.map(([name, count], i) => {
    const h = (count / highest) * height;
    const place = `x="${(i * step).toFixed(1)}" y="${(height - h).toFixed(1)}" width="${(step - 1).toFixed(1)}" height="${h.toFixed(1)}"`;
    return `<rect ${place} fill="var(--series-0)"><title>${escaped(name)}: ${short(count)}</title></rect>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">${rects.join('')}</svg>`;
}

/** A picture of pixels, of the bytes of a PNG file. */
export const picture = (png: Uint8Array, label: string): string => `<img src="${pngUrl(png)}" alt="${escaped(label)}">`;

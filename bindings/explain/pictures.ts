// Pictures of explanations: colours that colour-blind people tell apart, on white paper and in the dark. It comes where
// one is asked for, since most programs draw none.
import { withoutTape } from '../autograd.ts';
import { where } from '../functional/elementwise.ts';
import { interpolate } from '../functional/interpolate.ts';
import { stack } from '../functional/shape.ts';
import { quantile } from '../functional/statistics.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { lineChart } from '../page/charts.ts';
import { card, escaped, htmlPage, short, THEME } from '../page/html.ts';
import { encodePng, pngUrl } from '../page/png.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import type { PartialDependence } from './dependence.ts';
import type { Picture, PictureCard } from './options.ts';

/** What speaks for the output, and what against it. */
const FOR = [232, 89, 12];
const AGAINST = [31, 131, 201];
/** How much of the image a colour covers, at most, and how bright the image is under colours. */
const [COVER, DIMMED] = [0.95, 0.7];

const list = (values: Tensor | readonly number[]): number[] =>
  values instanceof Tensor ? Array.from(values.data) : [...values];
const largest = (values: readonly number[]): number =>
  values.reduce((most, each) => (Number.isFinite(each) ? Math.max(most, Math.abs(each)) : most), 0) || 1;
const rgba = (value: number, most: number): string =>
  `rgba(${(value > 0 ? FOR : AGAINST).join(',')},${short(Math.min(1, Math.abs(value) / most), 2)})`;

/** A file of SVG of what stands in a page, with the colours that the page would give it. */
const svgFile = (svg: string, style = ''): string =>
  svg
    .replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" font-family="system-ui,sans-serif" font-size="12" ')
    .replace('>', `><style>${THEME}text{fill:var(--soft)}${style}</style>`);

/** [height, width] of what is given with channels, or as the only sample. @throws ShapeError */
function planeOf(op: string, x: Tensor, channels: 'sum' | 'keep'): Tensor {
  const one = x.ndim === 4 && x.sizes[0] === 1 ? x.squeeze(0) : x;
  if (one.ndim === 2) return channels === 'keep' ? one.unsqueeze(0) : one;
  if (one.ndim !== 3 || (channels === 'keep' && ![1, 3].includes(one.sizes[0] as number)))
    throw new ShapeError(
      `${op}: expected [height, width] or [channels, height, width]${channels === 'keep' ? ' of 1 or 3 channels' : ''}, got ${formatShape(x.sizes)}; select a sample`,
    );
  return channels === 'keep' ? one : one.sum(0);
}

/** Numbers from 0 to 1 as bytes. */
const bytesOf = (x: Tensor): Uint8Array => x.clamp(0, 1).mul(255).round().to('u8').data as Uint8Array;

/** A map in colours, over an image or on nothing. */
export async function heatMap(
  attributions: Tensor,
  image: Tensor | null,
  size: number,
  limit: number | null,
  label: string,
): Promise<Picture> {
  const op = 'heatMap';
  if (!(size >= 1 && size <= 4096)) throw new ArgumentError(`${op}: expected size from 1 to 4096, got ${size}`);
  const { signed, pixels, width, height, channels } = withoutTape(() =>
    scope(() => {
      const map = planeOf(op, attributions.detach().to('f32'), 'sum');
      const [rows, columns] = map.sizes as [number, number];
      const signed = map.abs().amax().item() > 0;
      const most = limit ?? (quantile(map.abs().reshape([-1]), 0.99).item() || map.abs().amax().item() || 1);
      const scale = Math.max(1, Math.round(size / Math.max(rows, columns)));
      const [height, width] = [rows * scale, columns * scale];
      const sized = (x: Tensor): Tensor =>
        interpolate(x.unsqueeze(0), { size: [height, width], mode: 'nearest' }).squeeze(0);
      const value = sized(map.unsqueeze(0)).squeeze(0).div(most).clamp(-1, 1);
      // Small numbers would not be seen beside large ones.
      const strength = value.abs().pow(0.75);
      const colour = FOR.map((part, i) =>
        where(value.gt(0), value.mul(0).add(part / 255), value.mul(0).add((AGAINST[i] as number) / 255)),
      );
      if (!image) return { signed, pixels: bytesOf(stack([...colour, strength], 2)), width, height, channels: 4 };
      const plain = planeOf(op, image.detach().to('f32'), 'keep');
      const low = plain.amin();
      const base = sized(plain.sub(low).div(plain.amax().sub(low).add(1e-12)));
      const cover = strength.mul(COVER);
      const bright = signed ? DIMMED : 1;
      const mixed = colour.map((part, i) => {
        const under = base.select(0, base.sizes[0] === 3 ? i : 0);
        return under.mul(bright).mul(cover.mul(-1).add(1)).add(part.mul(cover));
      });
      return { signed, pixels: bytesOf(stack(mixed, 2)), width, height, channels: 3 };
    }),
  );
  const png = await encodePng(pixels, width, height, channels);
  const url = pngUrl(png);
  const name = escaped(label || 'what the output comes from');
  return {
    png,
    signed,
    svg: svgFile(
      `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}"><image href="${url}" width="${width}" height="${height}" style="image-rendering:pixelated"/></svg>`,
    ),
    html: `<img src="${url}" width="${width}" height="${height}" alt="${name}" style="height:auto">`,
  };
}

const [WIDTH, ROW, NAMES] = [640, 30, 224];

/** Bars to the right and left of 0, the longest first. */
export function barChart(
  given: Tensor | readonly number[],
  names: readonly string[],
  most: number,
  label: string,
): Picture {
  const values = list(given);
  if (values.length !== names.length)
    throw new ArgumentError(`barChart: expected a name for each of ${values.length} values, got ${names.length}`);
  const order = values.map((_, i) => i).sort((a, b) => Math.abs(values[b] as number) - Math.abs(values[a] as number));
  const shown = order.slice(0, most);
  const top = largest(values);
  const lowest = Math.min(0, ...shown.map((i) => values[i] as number));
  const highest = Math.max(0, ...shown.map((i) => values[i] as number));
  // Room for the numbers behind the bars.
  const [before, behind] = [lowest < 0 ? 100 : 8, 100];
  const unit = (WIDTH - NAMES - before - behind) / (highest - lowest || top);
  const zero = NAMES + before - lowest * unit;
  const rows = shown.map((i, row) => {
    const [value, name] = [values[i] as number, escaped(names[i] as string)];
    const [y, length] = [row * ROW, Math.abs(value) * unit];
    const left = value < 0 ? zero - length : zero;
    const end = value < 0 ? `x="${(left - 6).toFixed(1)}" text-anchor="end"` : `x="${(zero + length + 6).toFixed(1)}"`;
    const cut = name.length > 30 && !name.includes('&') ? `${name.slice(0, 29)}…` : name;
    return (
      `<g><title>${name}: ${short(value)}</title><text x="${NAMES - 4}" y="${y + 20}" text-anchor="end" style="fill:var(--text)">${cut}</text>` +
      `<rect x="${left.toFixed(1)}" y="${y + 4}" width="${length.toFixed(1)}" height="${ROW - 8}" rx="2" fill="var(--series-${value < 0 ? 0 : 1})"/><text ${end} y="${y + 20}">${value > 0 ? '+' : ''}${short(value, 3)}</text></g>`
    );
  });
  const height = shown.length * ROW + 4;
  const svg = `<svg class="chart" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(label || 'attributions by name')}"><path d="M${zero.toFixed(1)} 0V${height}" stroke="var(--line)"/>${rows.join('')}</svg>`;
  return { svg: svgFile(svg), html: svg, png: null, signed: false };
}

/** Text whose words have the colours of their numbers. */
export function colouredText(given: Tensor | readonly number[], tokens: readonly string[], label: string): Picture {
  const values = list(given);
  if (values.length !== tokens.length)
    throw new ArgumentError(
      `colouredText: expected a number for each of ${tokens.length} tokens, got ${values.length}`,
    );
  const most = largest(values) / 0.6; // so that text stays readable on its colour
  const words = tokens.map((token, i) => {
    const value = values[i] as number;
    return `<span title="${short(value, 3)}" style="background:${rgba(value, most)};border-radius:3px;padding:1px 2px">${escaped(token)}</span>`;
  });
  const html = `<p style="line-height:1.9" aria-label="${escaped(label || 'text in colours')}">${words.join('')}</p>`;
  return { svg: null, html, png: null, signed: true };
}

/** The mean output over the values of a column, over pale lines of samples. */
export function dependenceChart(
  { values, average, individual }: PartialDependence,
  most: number,
  label: string,
): Picture {
  if (![values, average, individual].every((each) => each instanceof Tensor) || individual.ndim !== 2)
    throw new ArgumentError('dependenceChart: expected what partialDependence() gives, got something else');
  const x = list(values);
  const n = individual.sizes[0] as number;
  const step = Math.max(1, Math.ceil(n / most));
  const samples = Array.from({ length: Math.ceil(n / step) }, (_, i) => ({
    ...{ label: `sample ${i * step}`, x, colour: 0, faint: true },
    y: list(individual.select(0, i * step)),
  }));
  const lines = [...(most > 0 ? samples : []), { label: 'mean', x, y: list(average), colour: 1 }];
  const html = lineChart(lines, { label: label || 'partial dependence' });
  return { svg: svgFile(html.slice(0, html.indexOf('</svg>') + 6)), html, png: null, signed: false };
}

const STYLE = `.maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(96px,1fr));gap:14px 12px}
figure{margin:0}figure img{width:100%;display:block;border-radius:6px;background:var(--paper)}figcaption{font-size:13px;line-height:1.35;overflow-wrap:break-word;hyphens:auto;color:var(--soft);margin-top:5px}
.sides{display:flex;gap:4px 18px;flex-wrap:wrap;font-size:13px;color:var(--soft);margin-top:12px}.sides i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}`;

/** What the colours say. */
const sides = ([orange, blue]: readonly [string, string]): string =>
  `<div class="sides"><span><i style="background:rgb(${FOR})"></i>${escaped(orange)}</span><span><i style="background:rgb(${AGAINST})"></i>${escaped(blue)}</span></div>`;

const LEGEND = ['speaks for it', 'speaks against it'] as const;

/** Pictures on one page that needs no other file. */
export function picturePage(cards: readonly PictureCard[], title: string, subtitle: string): string {
  const body = cards.map(({ title: head, note = '', wide = false, legend = LEGEND, pictures }) => {
    if (typeof head !== 'string' || !Array.isArray(pictures) || !pictures.every((each) => each?.picture?.html))
      throw new ArgumentError(
        'picturePage: expected cards { title, pictures: [{ picture, caption }] }, got another one; await the pictures first',
      );
    const images = pictures.some(({ picture }) => picture.png);
    const all = pictures.map(({ picture, caption }) =>
      caption === undefined
        ? picture.html
        : `<figure>${picture.html}<figcaption>${escaped(caption)}</figcaption></figure>`,
    );
    const below = pictures.some(({ picture }) => picture.signed) ? sides(legend) : '';
    return card(head, `${images ? `<div class="maps">${all.join('')}</div>` : all.join('')}${below}`, { note, wide });
  });
  return htmlPage({ title, subtitle, body, style: STYLE });
}

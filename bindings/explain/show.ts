// Pictures of explanations, as users call for them: what draws comes then.
import { promised } from '../io/declare.ts';
import type { Tensor } from '../tensor.ts';
import type { PartialDependence } from './dependence.ts';
import type { Picture, PictureCard } from './options.ts';

type Drawing = typeof import('./pictures.ts');

/** A function that draws. */
/* @__NO_SIDE_EFFECTS__ */
const drawn = <F>(text: string, fn: (draw: Drawing, args: never) => unknown): F =>
  promised([text], async (...args: unknown[]) => fn(await import('./pictures.ts'), args as never)) as F;

/** Options of {@link heatMap}. */
export interface HeatMapOptions {
  /** What it lies over, [height, width] or with 1 or 3 channels in front; null: nothing. @defaultValue null */
  readonly image?: Tensor | null;
  /** About how many pixels wide or high it is, whichever is more. @defaultValue 224 */
  readonly size?: number;
  /** The number that has the full colour; null: what all but 0.5 % are below. @defaultValue null */
  readonly limit?: number | null;
  /** What it shows, for those who hear it. @defaultValue '' */
  readonly label?: string;
}

/**
 * Attributions of an image as a map: orange is what speaks for the output, blue what speaks against it, strong where it
 * is much; on nothing, so that it fits light and dark, or over the image.
 * @param attributions of one sample: [height, width] or [channels, height, width], whose channels are added
 * @throws ArgumentError, ShapeError, as rejections
 * @example
 * ```ts
 * const { png, svg } = await explain.heatMap(randn([1, 8, 8]), { image: rand([8, 8]), size: 64 });
 * console.log(png?.length, svg?.slice(0, 4)); // … '<svg'
 * ```
 */
export const heatMap: (attributions: Tensor, options?: HeatMapOptions) => Promise<Picture> = drawn(
  "heatMap(attributions: Tensor, *, image: Tensor|null = null, size: int = 224, limit: number|null = null, label: string = '')",
  (draw, args: Parameters<Drawing['heatMap']>) => draw.heatMap(...args),
);

/** Options of {@link barChart}. */
export interface BarChartOptions {
  /** How many are shown, the largest. @defaultValue 12 */
  readonly most?: number;
  /** What it shows, for those who hear it. @defaultValue '' */
  readonly label?: string;
}

/**
 * Attributions of the columns of a table as bars, the longest first: orange to the right of 0, blue to the left.
 * @param values of one sample, [columns]
 * @throws ArgumentError, as rejections
 */
export const barChart: (
  values: Tensor | readonly number[],
  names: readonly string[],
  options?: BarChartOptions,
) => Promise<Picture> = drawn(
  "barChart(values: Tensor|number[], names: string[], *, most: int = 12, label: string = '')",
  (draw, args: Parameters<Drawing['barChart']>) => draw.barChart(...args),
);

/** Options of {@link colouredText}. */
export interface ColouredTextOptions {
  /** What it shows, for those who hear it. @defaultValue '' */
  readonly label?: string;
}

/**
 * Text whose tokens lie on the colours of their numbers: orange for, blue against.
 * @param values a number for each token
 * @throws ArgumentError, as rejections
 */
export const colouredText: (
  values: Tensor | readonly number[],
  tokens: readonly string[],
  options?: ColouredTextOptions,
) => Promise<Picture> = drawn(
  "colouredText(values: Tensor|number[], tokens: string[], *, label: string = '')",
  (draw, args: Parameters<Drawing['colouredText']>) => draw.colouredText(...args),
);

/** Options of {@link dependenceChart}. */
export interface DependenceChartOptions {
  /** How many samples have a line of their own, at most. @defaultValue 40 */
  readonly most?: number;
  /** What it shows, for those who hear it. @defaultValue '' */
  readonly label?: string;
}

/** What {@link partialDependence} gives as lines: the mean, and pale ones of samples. */
export const dependenceChart: (dependence: PartialDependence, options?: DependenceChartOptions) => Promise<Picture> =
  drawn(
    "dependenceChart(dependence: object, *, most: int = 40, label: string = '')",
    (draw, args: Parameters<Drawing['dependenceChart']>) => draw.dependenceChart(...args),
  );

/** Options of {@link picturePage}. */
export interface PicturePageOptions {
  /** Its heading. @defaultValue 'Explanations' */
  readonly title?: string;
  /** A line under it. @defaultValue '' */
  readonly subtitle?: string;
}

/**
 * Pictures on one page of HTML that needs no other file and no script, reads on a phone and in the dark.
 * @example
 * ```ts
 * const picture = await explain.barChart([0.4, -0.1], ['age', 'height']);
 * const page = await explain.picturePage([{ title: 'One person', pictures: [{ picture }] }], { title: 'Why' });
 * console.log(page.startsWith('<!doctype html>')); // true
 * ```
 */
export const picturePage: (cards: readonly PictureCard[], options?: PicturePageOptions) => Promise<string> = drawn(
  "picturePage(cards: object[], *, title: string = 'Explanations', subtitle: string = '')",
  (draw, args: Parameters<Drawing['picturePage']>) => draw.picturePage(...args),
);

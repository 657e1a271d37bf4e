// What runs over images show while they train, and the line that an epoch leaves.
import { type Figures, ProgressBar } from 'retrograd/train';

export const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/** The figures of images: loss and, where there is one, accuracy. */
export const figuresOfImages = ({ loss = Number.NaN, accuracy }: Readonly<Figures>): string =>
  `loss ${loss.toFixed(4)}${accuracy === undefined ? '' : `  acc ${percent(accuracy)}`}`;

/**
 * The progress of a training with images.
 * @param summary what the line of an epoch says after its number
 */
export const imageProgress = (summary: (figures: Readonly<Figures>) => string, figures = figuresOfImages) =>
  new ProgressBar({
    unit: 'img',
    figures,
    summary: ({ epoch, epochs }, all) => `epoch ${epoch + 1}/${epochs}  ${summary(all)}`,
  });

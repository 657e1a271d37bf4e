// The picture of a test of learning rates.
import { lineChart } from '../../page/charts.ts';

/** What is drawn: learning rates, and the loss after a step with each. */
interface Drawn {
  readonly lr: readonly number[];
  readonly loss: readonly number[];
}

/** The loss by the learning rate, with a mark, as SVG. */
export const plotOf = ({ lr, loss }: Drawn, suggested: number | null, logX: boolean): string =>
  lineChart([{ label: 'loss', x: lr, y: loss }], {
    label: 'Loss by learning rate',
    logX,
    marks: suggested === null ? [] : [suggested],
  });

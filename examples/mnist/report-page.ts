// The script of report.html. `drawReport` is written into the page by its source text, so it may use nothing from
// outside itself but the browser and its argument.
import type uPlot from 'uplot';

type Values = (number | null)[];

/** What the page finds in its `report-data` element. */
export interface PageData {
  readonly steps: number[];
  readonly loss: { readonly raw: Values; readonly smooth: Values };
  readonly accuracy: { readonly raw: Values; readonly smooth: Values };
  readonly epochs: { readonly steps: number[]; readonly testLoss: Values; readonly testAccuracy: Values };
  /** Steps to mark as ends of epochs. */
  readonly epochMarks: number[];
  readonly gradNorm: readonly { readonly name: string; readonly values: Values }[];
  /** Steps the smoothing spans. */
  readonly span: number;
  readonly digits: {
    readonly rows: number;
    readonly cols: number;
    /** base64 of items.length × rows × cols bytes. */
    readonly pixels: string;
    readonly items: readonly { label: string; predicted: string; confidence: number; index: number }[];
  };
}

/** Draws the plots and the digits, again whenever the color scheme changes. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the page gets this function as text, with all it needs
export function drawReport(Plot: typeof uPlot): void {
  const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
  const data: PageData = JSON.parse(byId('report-data').textContent ?? '');
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const color = (name: string): string =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const lossScale = byId('loss-scale');
  const isLog = (): boolean => lossScale.getAttribute('aria-pressed') === 'true';
  let plots: uPlot[] = [];

  const number = (value: number | null): string => (value === null ? '–' : String(Number(value.toPrecision(3))));
  const percent = (value: number | null): string => (value === null ? '–' : `${(value * 100).toFixed(2)} %`);

  /** Thin dashed lines where epochs end. */
  function drawEpochs(plot: uPlot): void {
    const { left, top, width, height } = plot.bbox;
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = color('line');
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const step of data.epochMarks) {
      const x = Math.round(plot.valToPos(step, 'x', true));
      if (x <= left || x >= left + width) continue;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** While the pointer is elsewhere the legend shows how the run ended. */
  function showLast(plot: uPlot): void {
    if ((plot.cursor.left ?? -1) < 0) plot.setLegend({ idx: plot.data[0].length - 1 });
  }

  /** The value at a place, or the last one before it: the test set has one an epoch. */
  function valueAt(plot: uPlot, series: number, index: number | null): number | null {
    for (let i = index ?? -1; i >= 0; i--) {
      const value = plot.data[series]?.[i];
      if (typeof value === 'number') return value;
    }
    return null;
  }

  function draw(
    id: string,
    table: uPlot.AlignedData,
    series: uPlot.Series[],
    y: uPlot.Scale,
    format: (v: number) => string,
  ): void {
    const host = byId(id);
    if (data.steps.length + data.epochs.steps.length === 0 || series.length === 0) {
      host.textContent = 'Nothing was recorded.';
      return;
    }
    const axis: uPlot.Axis = {
      stroke: color('soft'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
    };
    const plot = new Plot(
      {
        width: host.clientWidth,
        height: Math.max(220, Math.min(320, host.clientWidth * 0.6)),
        padding: [10, 10, 0, 0],
        scales: { x: { time: false }, y },
        series: [{ label: 'step', value: (_, v) => (v === null ? '–' : v.toLocaleString('en-US')) }, ...series],
        axes: [
          { ...axis, size: 32, space: 70, values: (_, ticks) => ticks.map((v) => v.toLocaleString('en-US')) },
          {
            ...axis,
            size: 54,
            ...(y.distr === 3 && { filter: logLabels }),
            values: (_, ticks) => ticks.map((v) => (v === null ? '' : format(v))),
          },
        ],
        cursor: {
          sync: { key: 'steps' },
          points: { size: 7, fill: (_, i) => String(series[i - 1]?.stroke) },
          focus: { prox: 24 },
        },
        focus: { alpha: 0.35 },
        legend: { markers: { width: 2 } },
        hooks: { drawAxes: [drawEpochs], ready: [showLast], setCursor: [showLast] },
      },
      table,
      host,
    );
    plots.push(plot);
  }

  /** Per step faint and smoothed, and the test set once an epoch. */
  function drawCurves(id: string, curve: PageData['loss'], test: Values, y: uPlot.Scale, show: typeof number): void {
    const table = Plot.join([
      [data.steps, curve.raw, curve.smooth],
      [data.epochs.steps, test],
    ]);
    const value: uPlot.Series.Value = (plot, _, series, index) => show(valueAt(plot, series, index));
    draw(
      id,
      table,
      [
        { label: 'batch', stroke: color('train-faint'), width: 1, points: { show: false }, value, spanGaps: true },
        { label: 'train', stroke: color('train'), width: 2, points: { show: false }, value, spanGaps: true },
        {
          label: 'test',
          stroke: color('test'),
          width: 2,
          points: { show: true, size: 8, fill: color('card'), width: 2 },
          value,
          spanGaps: true,
        },
      ],
      y,
      (v) => (show === percent ? `${Number((v * 100).toPrecision(4))} %` : number(v)),
    );
  }

  /** A range in logarithms from and to one digit, where uPlot's own would go out to whole decades. */
  const logRange = (_: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax => {
    if (min === null || max === null) return [0.1, 1];
    const digit = (value: number, toward: (x: number) => number): number => {
      const unit = 10 ** Math.floor(Math.log10(value));
      return Number((toward(value / unit) * unit).toPrecision(1));
    };
    const low = digit(min / 1.05, Math.floor);
    return [low, Math.max(digit(max * 1.05, Math.ceil), low * 2)];
  };

  /** Labels at 1, 2 and 5 of each decade, or at decades alone where there are many. */
  const logLabels: uPlot.Axis.Filter = (_, ticks) => {
    const decades = Math.log10((ticks.at(-1) ?? 1) / (ticks[0] ?? 1));
    const shown = decades > 3.5 ? '1' : '125';
    return ticks.map((tick) => (shown.includes(tick.toExponential()[0] as string) ? tick : null));
  };

  function drawPlots(): void {
    for (const plot of plots) plot.destroy();
    plots = [];

    const lossY: uPlot.Scale = isLog()
      ? { distr: 3, range: logRange }
      : { range: (_, _min, max) => [0, (max ?? 1) * 1.05] };
    drawCurves('loss', data.loss, data.epochs.testLoss, lossY, number);

    // The climb of the first steps would press everything else against the top.
    const seen = [...data.accuracy.raw, ...data.epochs.testAccuracy].filter((v) => v !== null).sort((a, b) => a - b);
    const floor = seen[Math.floor(seen.length * 0.03)] ?? 0;
    const accuracyY: uPlot.Scale = {
      range: (_, min) => {
        const low = Math.max(floor, min ?? 0);
        return [Math.max(0, low - (1 - low) * 0.08), 1 + (1 - low) * 0.03];
      },
    };
    drawCurves('accuracy', data.accuracy, data.epochs.testAccuracy, accuracyY, percent);

    const lines = data.gradNorm.map(({ name }, i) => ({
      label: name,
      stroke: color(`layer-${i % 8}`),
      width: 1.75,
      // Beyond eight layers the colors come again, dashed.
      dash: i < 8 ? [] : [6, 4],
      points: { show: false },
      value: (plot: uPlot, _: number, series: number, index: number | null) => number(valueAt(plot, series, index)),
    }));
    draw(
      'gradients',
      [data.steps, ...data.gradNorm.map(({ values }) => values)],
      lines,
      { distr: 3, range: logRange },
      number,
    );
  }

  function element(tag: string, text: string): HTMLElement {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  /** Ink in the text's color, so that digits read on light and on dark paper. */
  function drawDigits(): void {
    const { rows, cols, pixels, items } = data.digits;
    const bytes = Uint8Array.from(atob(pixels), (mark) => mark.charCodeAt(0));
    const ink = scheme.matches ? 255 : 16;
    const figures = items.map(({ label, predicted, confidence, index }, i) => {
      const canvas = document.createElement('canvas');
      canvas.width = cols;
      canvas.height = rows;
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `handwritten ${label}`);
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      const image = context.createImageData(cols, rows);
      for (let p = 0; p < rows * cols; p++) {
        image.data.fill(ink, 4 * p, 4 * p + 3);
        image.data[4 * p + 3] = bytes[i * rows * cols + p] ?? 0;
      }
      context.putImageData(image, 0, 0);

      const figure = document.createElement('figure');
      figure.title = `test image ${index}`;
      const caption = document.createElement('figcaption');
      const pair = document.createElement('span');
      pair.append(element('b', label), ' → ', element('i', predicted));
      caption.append(pair, element('small', `${(confidence * 100).toFixed(0)}%`));
      figure.append(canvas, caption);
      return figure;
    });
    byId('digits').replaceChildren(...figures);
  }

  lossScale.addEventListener('click', () => {
    lossScale.setAttribute('aria-pressed', String(!isLog()));
    drawPlots();
  });
  scheme.addEventListener('change', () => {
    drawPlots();
    drawDigits();
  });
  // The charts follow the width of the page, which changes with the window and with its scroll bar. The heading is as
  // wide, and drawing does not change its size.
  const heading = document.querySelector('h1')?.parentElement as HTMLElement;
  let width = 0;
  const follow = (): void => {
    if (heading.clientWidth === width) return;
    width = heading.clientWidth;
    drawPlots();
  };
  follow();
  drawDigits();
  new ResizeObserver(follow).observe(heading);
}

// Events of TensorBoard: what a SummaryWriter was told, as bytes. Loaded when something is written.
import { withoutTape } from '../../autograd.ts';
import { tensor } from '../../creation.ts';
import { clamp, max, min, mul, permute, square, sum, to, unsqueeze } from '../../functional/functions.ts';
import { histogram } from '../../functional/histogram.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { encodePng } from '../../page/png.ts';
import { scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import type { Hyperparameters } from '../loggers/logger.ts';
import { graphOf } from './graph.ts';
import { bytes, double, doubles, float, int, joined, message, record } from './messages.ts';
import type { Pending, Snapshot, Value } from './pending.ts';

/** Limits of bins as TensorFlow has them: powers of 1.1, of both signs, about 0. */
function usualLimits(): number[] {
  const positive: number[] = [];
  for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
  return [...positive.map((x) => -x).reverse(), 0, ...positive];
}

const restored = ({ shape, values }: Snapshot): Tensor => tensor(values, { shape });

/** The fields of a HistogramProto. */
function histogramOf({ values: given, bins }: Extract<Value, { kind: 'histogram' }>): Uint8Array[] {
  if (given.values.length === 0) throw new ArgumentError('addHistogram: expected at least one value, got none');
  return withoutTape(() =>
    scope(() => {
      const x = to(restored(given), 'f32');
      const edges = bins === 'tensorflow' ? tensor(Float32Array.from(usualLimits())) : bins;
      const { hist, binEdges } = histogram(x, edges);
      const [counts, limits] = [hist.data, binEdges.data];
      let [from, to_] = [0, counts.length];
      while (from < to_ && counts[from] === 0) from++;
      while (to_ > from && counts[to_ - 1] === 0) to_--;
      // Only right limits are written: an empty bin in front has the left one of the first.
      return [
        double(1, min(x).item()),
        double(2, max(x).item()),
        double(3, x.size),
        double(4, sum(x).item()),
        double(5, sum(square(x)).item()),
        doubles(6, limits.slice(from, to_ + 1)),
        doubles(7, [0, ...counts.slice(from, to_)]),
      ];
    }),
  );
}

/** The fields of an Image: f32 numbers are from 0 to 1, others from 0 to 255. */
async function imageOf({ image, dataformats }: Extract<Value, { kind: 'image' }>): Promise<Uint8Array[]> {
  const { pixels, height, width, channels } = withoutTape(() =>
    scope(() => {
      const x = to(restored(image), 'f32');
      const scaled = to(clamp(mul(x, image.dtype === 'f32' ? 255 : 1), 0, 255), 'u8');
      const flat = dataformats === 'HW';
      const inOrder = flat
        ? unsqueeze(scaled, 2)
        : permute(
            scaled,
            [...'HWC'].map((dim) => dataformats.indexOf(dim)),
          );
      const [rows, columns, depth] = inOrder.shape as [number, number, number];
      return { pixels: inOrder.data as Uint8Array, height: rows, width: columns, channels: depth };
    }),
  );
  const png = await encodePng(pixels, width, height, channels);
  return [int(1, height), int(2, width), int(3, channels), bytes(4, png)];
}

const NAMES = { experiment: 'experiment', sessionStart: 'session_start_info', sessionEnd: 'session_end_info' };
const SUCCESS = 1;

/** The metadata of a summary that a plugin reads. */
const metadata = (plugin: string, content: Uint8Array): Uint8Array =>
  message(9, message(1, bytes(1, plugin), bytes(2, content)));

const plain = (value: string | number | boolean): Uint8Array =>
  typeof value === 'number' ? double(2, value) : typeof value === 'string' ? bytes(3, value) : int(4, value);
const typeOf = (value: unknown): number => ({ string: 1, boolean: 2, number: 3 })[typeof value as 'string'] ?? 0;

/** What the plugin for hyperparameters is told: an empty tensor, and all in its metadata. */
const hparams = (name: keyof typeof NAMES, content: Uint8Array): Uint8Array[] => [
  bytes(1, `_hparams_/${NAMES[name]}`),
  metadata('hparams', content),
];

const started = (values: Hyperparameters, walltime: number): Uint8Array =>
  message(
    3,
    ...Object.entries(values).map(([name, value]) => message(1, bytes(1, name), message(2, plain(value)))),
    double(5, walltime),
  );

function experimentOf({ hparams: values, metrics, domains }: Extract<Value, { kind: 'experiment' }>): Uint8Array {
  const infos = Object.entries(values).map(([name, value]) => {
    const domain = domains[name]?.map((each) => message(1, plain(each))) ?? [];
    return message(4, bytes(1, name), int(4, typeOf(value)), ...(domain.length > 0 ? [message(5, ...domain)] : []));
  });
  return message(2, ...infos, ...metrics.map((tag) => message(5, message(1, bytes(2, tag)))));
}

/** A tensor of one string. */
const text = (value: string): Uint8Array => message(8, int(1, 7), message(2, message(2, int(1, 1))), bytes(8, value));

/** The fields of a summary's value. */
async function fieldsOf(value: Value, walltime: number): Promise<Uint8Array[]> {
  switch (value.kind) {
    case 'scalar':
      return [bytes(1, value.tag), float(2, value.value)];
    case 'histogram':
      return [bytes(1, value.tag), message(5, ...histogramOf(value))];
    case 'image':
      return [bytes(1, value.tag), message(4, ...(await imageOf(value)))];
    case 'text':
      return [bytes(1, `${value.tag}/text_summary`), metadata('text', new Uint8Array(0)), text(value.text)];
    case 'experiment':
      return hparams(value.kind, experimentOf(value));
    case 'sessionStart':
      return hparams(value.kind, started(value.hparams, walltime));
    case 'sessionEnd':
      return hparams(value.kind, message(4, int(1, SUCCESS), double(2, walltime)));
    default:
      throw new Error(value.kind);
  }
}

const event = (walltime: number, step: number, ...rest: Uint8Array[]): Uint8Array =>
  record(joined([double(1, walltime), int(2, step), ...rest]));

/** With what a file begins. */
export const versionAt = (walltime: number): Uint8Array => event(walltime, 0, bytes(3, 'brain.Event:2'));

/** A value as a record. */
export async function eventOf({ walltime, step, value }: Pending): Promise<Uint8Array> {
  // What was written of this step and later ones does not count.
  if (value.kind === 'start') return event(walltime, step, message(7, int(1, 1)));
  if (value.kind === 'graph') return event(walltime, step, bytes(4, graphOf(value)));
  return event(walltime, step, message(5, message(1, ...(await fieldsOf(value, walltime)))));
}

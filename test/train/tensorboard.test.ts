// Event files: their framing and checksums, read here by hand; and what Python's tensorboard reads in them, where that
// is installed (TENSORBOARD_PYTHON=/path/to/python).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init, nn, ones, ShapeError, shutdown, tensor } from '../../bindings/index.ts';
import { SummaryWriter, TensorBoardLogger } from '../../bindings/train/index.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

/** CRC-32C a bit at a time, by its definition (RFC 3720). */
function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
  }
  return ~sum >>> 0;
}
const masked = (bytes: Uint8Array): number => {
  const sum = crc32c(bytes);
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
};

/** The records of a file, whose checksums have to fit. */
function recordsOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const records: Uint8Array[] = [];
  let at = 0;
  while (at < file.length) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(masked(file.subarray(at, at + 8)));
    const content = file.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(masked(content));
    records.push(content);
    at += 16 + length;
  }
  expect(at).toBe(file.length);
  return records;
}

/** A message, by the numbers of its fields: whole numbers, bytes, doubles and floats. */
type Fields = Record<number, (number | Uint8Array)[]>;
function fieldsOf(bytes: Uint8Array): Fields {
  const fields: Fields = {};
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const list = fields[tag >> 3] ?? [];
    fields[tag >> 3] = list;
    const wire = tag & 7;
    const length = wire === 0 ? 0 : wire === 1 ? 8 : wire === 5 ? 4 : varint();
    const from = at;
    at += length;
    if (wire === 0) list.push(varint());
    else if (wire === 1) list.push(view.getFloat64(from, true));
    else if (wire === 5) list.push(view.getFloat32(from, true));
    else list.push(bytes.subarray(from, at));
  }
  return fields;
}
const text = (bytes: unknown): string => new TextDecoder().decode(bytes as Uint8Array);
const message = (fields: Fields, field: number, at = 0): Fields => fieldsOf(fields[field]?.[at] as Uint8Array);

const model = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU(), new nn.Sequential(new nn.Linear(4, 2)));

function addAll(writer: SummaryWriter): void {
  for (let step = 0; step < 25; step++) writer.addScalar('loss', 1 / (1 + step), step, 1700000000 + step);
  writer.addScalar('accuracy', tensor([0.5]), { globalStep: 3 });
  writer.addScalars('both', { train: 1, test: tensor([2]) }, 7);
  writer.addHistogram('weights', tensor([-1, 0, 0.5, 0.5, 2]), 4);
  writer.addHistogram('even', tensor([0, 1, 2, 3, 4, 4]), { globalStep: 5, bins: 4 });
  writer.addImage('picture', tensor([[[0, 0.5, 2]], [[1, 0.5, 0]], [[0, 0.5, 1]]]), 2);
  writer.addImage('gray', tensor(Uint8Array.of(1, 2, 3, 4, 5, 6), { shape: [2, 3] }), { dataformats: 'HW' });
  writer.addText('notes', '**bold** & Zürich', 1);
  writer.addGraph(model, ones([5, 3]));
  writer.addHparams(
    { lr: 0.1, name: 'sgd', nesterov: true },
    { 'hparam/accuracy': 0.9 },
    { runName: 'trial', hparamDomainDiscrete: { lr: [0.1, 0.01] } },
  );
}

describe('a file', () => {
  let files: Record<string, Uint8Array>;
  let events: Fields[];
  const summaryOf = (tag: string): Fields => {
    const found = events.find((event) => event[5] && text(message(message(event, 5), 1)[1]?.[0]) === tag) as Fields;
    return message(message(found, 5), 1);
  };
  beforeAll(async () => {
    const writer = new SummaryWriter('runs/x', { inMemory: true, maxQueue: 4 });
    addAll(writer);
    files = await writer.files();
    const own = Object.keys(files).find((path) => /^runs\/x\/events\.out\.tfevents\.\d+\.memory\.0\.\d+$/.test(path));
    events = recordsOf(files[own as string] as Uint8Array).map(fieldsOf);
  });

  it('begins with its version, and has each run in a folder', () => {
    expect(text(events[0]?.[3]?.[0])).toBe('brain.Event:2');
    const runs = Object.keys(files).map((path) => path.split('/').slice(2, -1).join('/'));
    expect(runs.sort()).toEqual(['', 'both_test', 'both_train', 'trial']);
    for (const file of Object.values(files)) recordsOf(file);
  });

  it('has scalars with their steps and times, in order', () => {
    const scalars = events.filter((event) => event[5] && text(message(message(event, 5), 1)[1]?.[0]) === 'loss');
    expect(scalars.map((event) => [event[1]?.[0], event[2]?.[0]])).toEqual(
      Array.from({ length: 25 }, (_, step) => [1700000000 + step, step]),
    );
    expect(scalars.map((event) => message(message(event, 5), 1)[2]?.[0])).toEqual(
      Array.from({ length: 25 }, (_, step) => Math.fround(1 / (1 + step))),
    );
  });

  it('has histograms, all of whose values are counted', () => {
    const histogram = message(summaryOf('weights'), 5);
    expect([1, 2, 3, 4, 5].map((field) => histogram[field]?.[0])).toEqual([-1, 2, 5, 2, 5.5]);
    const numbersOf = (fields: Fields, field: number): number[] => [
      ...new Float64Array(Uint8Array.from((fields[field] as Uint8Array[])[0] as Uint8Array).buffer),
    ];
    const list = (field: number): number[] => numbersOf(histogram, field);
    expect(list(7).reduce((a, b) => a + b)).toBe(5);
    expect(list(6)).toHaveLength(list(7).length);
    const even = message(summaryOf('even'), 5);
    expect(numbersOf(even, 7)).toEqual([0, 1, 1, 1, 3]);
    expect(numbersOf(even, 6)).toEqual([0, 1, 2, 3, 4]);
  });

  it('has images as PNG', () => {
    const image = message(summaryOf('picture'), 4);
    expect([1, 2, 3].map((field) => image[field]?.[0])).toEqual([1, 3, 3]);
    expect([...decode(image[4]?.[0] as Uint8Array).data]).toEqual([0, 255, 0, 127, 127, 127, 255, 0, 255]);
    expect([...decode(message(summaryOf('gray'), 4)[4]?.[0] as Uint8Array).data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('has texts', () => {
    const value = summaryOf('notes/text_summary');
    expect(text(message(value, 8)[8]?.[0])).toBe('**bold** & Zürich');
    expect(text(message(message(value, 9), 1)[1]?.[0])).toBe('text');
  });

  it('has the graph, whose inputs are there', () => {
    const graph = fieldsOf(events.find((event) => event[4])?.[4]?.[0] as Uint8Array);
    const nodes = (graph[1] as Uint8Array[]).map(fieldsOf);
    const names = nodes.map((node) => text(node[1]?.[0]));
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('Sequential/2/0/weight');
    expect(names.some((name) => /^Sequential\/1\/relu_\d+$/.test(name))).toBe(true);
    const inputs = nodes.flatMap((node) => (node[3] ?? []).map(text));
    expect(inputs.filter((name) => !names.includes(name))).toEqual([]);
    // From the result one comes to the input and to all parameters.
    const reached = new Set(['output/0']);
    for (const name of reached) for (const input of nodes[names.indexOf(name)]?.[3] ?? []) reached.add(text(input));
    expect(
      ['input/0', ...model.namedParameters().map(([path]) => `Sequential/${path.replaceAll('.', '/')}`)].filter(
        (name) => !reached.has(name),
      ),
    ).toEqual([]);
  });

  it('has the modules alone, without inputs', async () => {
    const writer = new SummaryWriter('x', { inMemory: true });
    writer.addGraph(model);
    const [file] = Object.values(await writer.files()) as [Uint8Array];
    const graph = fieldsOf(
      recordsOf(file)
        .map(fieldsOf)
        .find((event) => event[4])?.[4]?.[0] as Uint8Array,
    );
    const names = (graph[1] as Uint8Array[]).map((node) => text(fieldsOf(node)[1]?.[0]));
    expect(names).toContain('Sequential/2/0/forward');
  });
});

describe('a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tensorboard-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('gets files that grow', async () => {
    const writer = new SummaryWriter(join(folder, 'grows'), { filenameSuffix: '.me' });
    writer.addScalar('a', 1);
    await writer.flush();
    const [name] = readdirSync(join(folder, 'grows')) as [string];
    expect(name).toMatch(/^events\.out\.tfevents\.\d+\..+\.me$/);
    writer.addScalar('a', 2, 1);
    await writer.close();
    expect(recordsOf(readFileSync(join(folder, 'grows', name)))).toHaveLength(3);
    await expect(writer.files()).rejects.toThrow('expected a writer with inMemory: true');
  });

  it('tells what went wrong in the background', async () => {
    const writer = new SummaryWriter('/dev/null/x', { maxQueue: 1 });
    writer.addScalar('a', 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(writer.flush()).rejects.toThrow(/ENOTDIR|EEXIST/);
    await writer.flush(); // told once
  });

  const python = process.env.TENSORBOARD_PYTHON ?? 'python3';
  const hasTensorBoard = (() => {
    try {
      execFileSync(python, ['-c', 'import tensorboard'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  it.skipIf(!hasTensorBoard)('is what tensorboard reads', async () => {
    const runs = join(folder, 'runs');
    const writer = new SummaryWriter(join(runs, 'x'));
    addAll(writer);
    await writer.close();
    const logger = new TensorBoardLogger(join(runs, 'logged'));
    logger.open(0);
    logger.logHyperparameters({ lr: 0.1, model: 'mlp', big: false });
    for (let step = 1; step < 9; step++) logger.logScalars(step, { loss: step });
    await logger.close();
    // Goes on after step 4: what was logged of 5 … 8 gives way.
    const again = new TensorBoardLogger(new SummaryWriter(join(runs, 'logged'), { filenameSuffix: '.2' }));
    again.open(4);
    for (let step = 5; step < 7; step++) again.logScalars(step, { loss: -step });
    await again.close();
    const read = JSON.parse(execFileSync(python, ['-c', READER, runs], { encoding: 'utf8' }));
    expect(read).toEqual({
      scalars: { loss: 25, accuracy: [[3, 0.5]], both: { train: [[7, 1]], test: [[7, 2]] } },
      histograms: { weights: [4, -1, 2, 5], even: [5, 0, 4, 6] },
      images: { picture: [1, 3], gray: [2, 3] },
      text: '**bold** & Zürich',
      graph: true,
      logged: [...[1, 2, 3, 4].map((x) => [x, x]), [5, -5], [6, -6]],
      hparams: { lr: 0.1, name: 'sgd', nesterov: true },
      experiment: [['lr', 3, [0.1, 0.01]], ['name', 1, []], ['nesterov', 2, []], ['hparam/accuracy']],
      status: 1,
      session: { lr: 0.1, model: 'mlp', big: false },
    });
  });
});

/** Reads all by tensorboard's own classes, as its plugins do. */
const READER = `
import json, sys, warnings
warnings.simplefilter('ignore')
from tensorboard.backend.event_processing import event_accumulator as ea
from tensorboard.plugins.hparams import metadata, plugin_data_pb2
runs = sys.argv[1]
def load(run):
    a = ea.EventAccumulator(runs + '/' + run, size_guidance={k: 0 for k in ('compressedHistograms', 'images', 'audio', 'scalars', 'histograms', 'tensors')})
    a.Reload()
    return a
points = lambda a, tag: [[e.step, e.value] for e in a.Scalars(tag)]
x, logged, trial = load('x'), load('logged'), load('x/trial')
hist = lambda tag: (lambda e: [e.step, e.histogram_value.min, e.histogram_value.max, sum(e.histogram_value.bucket)])(x.Histograms(tag)[0])
value = lambda v: getattr(v, v.WhichOneof('kind'))
def hparams(a, tag):
    return metadata.parse_experiment_plugin_data(a.SummaryMetadata(tag).plugin_data.content) if tag.endswith('experiment') else \\
        metadata.parse_session_start_info_plugin_data(a.SummaryMetadata(tag).plugin_data.content) if 'start' in tag else \\
        metadata.parse_session_end_info_plugin_data(a.SummaryMetadata(tag).plugin_data.content)
experiment = hparams(trial, metadata.EXPERIMENT_TAG)
session = lambda a: {k: value(v) for k, v in hparams(a, metadata.SESSION_START_INFO_TAG).hparams.items()}
text = x.Tensors('notes/text_summary')[0].tensor_proto
print(json.dumps({
    'scalars': {'loss': len(points(x, 'loss')), 'accuracy': points(x, 'accuracy'),
                'both': {k: points(load('x/both_' + k), 'both') for k in ('train', 'test')}},
    'histograms': {k: hist(k) for k in ('weights', 'even')},
    'images': {k: [x.Images(k)[0].height, x.Images(k)[0].width] for k in ('picture', 'gray')},
    'text': text.string_val[0].decode(), 'graph': len(x.Graph().node) > 5,
    'logged': points(logged, 'loss'), 'hparams': session(trial), 'session': session(logged),
    'experiment': [[i.name, i.type, [value(v) for v in i.domain_discrete.values]] for i in experiment.hparam_infos] + [[i.name.tag] for i in experiment.metric_infos],
    'status': hparams(trial, metadata.SESSION_END_INFO_TAG).status,
}))
`;

it('says what does not fit', () => {
  const writer = new SummaryWriter('x', { inMemory: true });
  expect(() => writer.addImage('x', ones([2, 3]))).toThrow(ShapeError);
  expect(() => writer.addImage('x', ones([5, 3, 3]))).toThrow('1 to 4 channels, got [5, 3, 3]');
  expect(() => writer.addHparams({ lr: [1] as never }, {})).toThrow('a string, a number or true or false as lr');
  expect(() => writer.addScalars('x', { a: 'b' as never })).toThrow('a number or a tensor of one as a');
  expect(() => writer.addHistogram('x', tensor([]))).toThrow('at least one value');
  expect(() => new TensorBoardLogger(new Date() as never)).toThrow('a folder or a SummaryWriter');
});

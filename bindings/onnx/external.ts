// Weights that a model has in other files. Only the parts that are needed are read, by ranges where the source has
// them. It is loaded with the first model that has any.
import { openRandom, type RandomBytes } from '../data/readers/bytes.ts';
import { type ByteSource, sourceKind } from '../data/sources/byte-source.ts';
import { besideOf } from '../io/open.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import type { TensorProto } from './messages.ts';
import { type Beside, bad, placeKey, placeOf } from './tensors.ts';

/**
 * Where a model's other files are: a source for each, by the name that the model has for it, such as a File or the
 * bytes; the folder that has them, as a path or a URL; or a function that gives the source of a name.
 */
export type ExternalData = string | Readonly<Record<string, ByteSource>> | ((name: string) => ByteSource);

/** A part of a file. */
interface Part {
  readonly key: string;
  /** The tensor that it is of. */
  readonly name: string;
  readonly from: number;
  /** Its end; null: that of the file. */
  readonly to: number | null;
}

/** The parts that a model needs, by files. @throws FormatError for places that are none */
function partsOf(tensors: readonly TensorProto[]): Map<string, Part[]> {
  const files = new Map<string, Part[]>();
  const seen = new Set<string>();
  for (const proto of tensors) {
    const { location, offset, length } = placeOf(proto);
    const [key, name] = [placeKey(proto), proto.name ?? ''];
    if (seen.has(key)) continue;
    seen.add(key);
    if (!(Number.isSafeInteger(offset) && offset >= 0 && (length === null || Number.isSafeInteger(length))))
      throw bad(`a place inside of '${location}' for '${name}', got ${offset} and ${length}`);
    const parts = files.get(location) ?? [];
    files.set(location, parts);
    parts.push({ key, name, from: offset, to: length === null ? null : offset + length });
  }
  return files;
}

/** Bytes between two parts that are read with them: fewer than a request costs. */
const GAP = 1 << 16;
/** Bytes that are read at once, of parts that are smaller. */
const MOST = 1 << 24;

type Sized = Part & { readonly to: number };

/** Parts that are read at once, in the order of the file. */
function together(parts: readonly Sized[]): Sized[][] {
  const groups: Sized[][] = [];
  let [from, end] = [0, 0];
  for (const part of [...parts].sort((a, b) => a.from - b.from)) {
    const last = groups.at(-1);
    if (last && part.from <= end + GAP && part.to - from <= MOST) last.push(part);
    else {
      groups.push([part]);
      from = part.from;
      end = part.to;
    }
    end = Math.max(end, part.to);
  }
  return groups;
}

async function readParts(location: string, file: RandomBytes, parts: readonly Part[], beside: Map<string, Uint8Array>) {
  const sized = parts.map((part): Sized => {
    const to = part.to ?? file.size;
    if (!(to >= part.from && to <= file.size))
      throw bad(`'${part.name}' inside of '${location}', got bytes ${part.from} to ${to} of ${file.size}`);
    return { ...part, to };
  });
  for (const group of together(sized)) {
    const from = (group[0] as Sized).from;
    const bytes = await file.read(from, Math.max(...group.map(({ to }) => to)));
    for (const part of group) beside.set(part.key, bytes.subarray(part.from - from, part.to - from));
  }
}

/** The source of a file beside the model. @throws ArgumentError where none is given */
function sourceOf(location: string, model: unknown, given: ExternalData | null): ByteSource {
  const own = typeof given === 'function' ? given(location) : undefined;
  if (own !== undefined || typeof given === 'function') {
    if (own !== undefined && sourceKind.source[0](own)) return own;
    throw new ArgumentError(
      `loadOnnx: expected externalData to give ${sourceKind.source[1]} for '${location}', got ${describe(own)}`,
    );
  }
  if (typeof given === 'string') return besideOf(/[/\\]$/.test(given) ? given : `${given}/`, location);
  if (given && Object.hasOwn(given, location)) return given[location] as ByteSource;
  const text = typeof model === 'string' ? model : (model as { href?: unknown }).href;
  if (typeof text === 'string') return besideOf(text, location);
  throw new ArgumentError(
    `loadOnnx: expected the bytes of '${location}', which has weights, got the model alone; give externalData: { '${location}': bytes }`,
  );
}

/**
 * Reads what is outside of a model.
 * @param model where it came from
 * @param tensors those that are outside, and needed
 * @throws ArgumentError, FormatError, the system's error
 */
export async function readBeside(
  model: unknown,
  tensors: readonly TensorProto[],
  given: ExternalData | null,
): Promise<Beside> {
  const beside = new Map<string, Uint8Array>();
  for (const [location, parts] of partsOf(tensors)) {
    const file = await openRandom('loadOnnx', sourceOf(location, model, given));
    try {
      await readParts(location, file, parts, beside);
    } finally {
      await file.close();
    }
  }
  return beside;
}

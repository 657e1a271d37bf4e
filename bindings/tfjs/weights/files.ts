// model.json and its shards: out of files, from a server, and into files.
import { expectFound, openRandom, placeOf } from '../../data/readers/bytes.ts';
import { promised } from '../../io/declare.ts';
import { writeFileAtomic } from '../../io/files.ts';
import type { Kind } from '../../kinds.ts';
import { ArgumentError, FormatError } from '../../memory/errors.ts';
import { type ModelFiles, type WeightSpec, writableFiles } from './source.ts';

/** A File as a page has it, of an `<input type="file" multiple>`. */
export interface ModelFile {
  /** Its name, without folders. */
  readonly name: string;
  /** The bytes. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

const isObject = (x: unknown): x is object => typeof x === 'object' && x !== null && !Array.isArray(x);
const isFile = (x: unknown): boolean =>
  typeof (x as ModelFile | null)?.name === 'string' && typeof (x as ModelFile).arrayBuffer === 'function';
const isPlace = (x: unknown): boolean =>
  (typeof x === 'string' && x !== '' && !x.includes('\0')) ||
  typeof (x as { href?: unknown } | null)?.href === 'string';

const own: Readonly<Record<string, Kind>> = {
  model: [
    (x) => isPlace(x) || (Array.isArray(x) && x.length > 0 && x.every(isFile)),
    'the path or URL of a model.json, or a list of Files',
  ],
  path: [(x) => typeof x === 'string' && isPlace(x), 'the path of a model.json'],
  files: [isObject, 'the files of a model (readModelFiles() and saveWeights() give such)'],
};

/** The bytes of one file after another. */
type Open = (path: string) => Promise<ArrayBuffer>;
const JSON_FILE = '';

/** Files at a place, and beside it. */
function openPlace(op: string, source: string | { readonly href: string }): Open {
  const { url, name } = placeOf(source);
  // What follows the path of an address, such as a signature, is that of all files.
  const [, path = name, query = ''] = (url && /^([^?#]*)(\?[^#]*)?/.exec(url)) || [];
  const folder = path.replace(url ? /[^/]*$/ : /[^/\\]*$/, '');
  return async (file) => {
    const place = file === JSON_FILE ? source : `${folder}${file}${query}`;
    if (url) {
      const address = placeOf(place).url as string;
      const response = await fetch(address);
      expectFound(op, address, response);
      return response.arrayBuffer();
    }
    const opened = await openRandom(op, place);
    try {
      const bytes = await opened.read(0, opened.size);
      return bytes.slice().buffer;
    } finally {
      await opened.close();
    }
  };
}

/** Files by their names. */
function openList(op: string, files: readonly ModelFile[]): Open {
  return async (path) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const found = files.filter((file) => (path === JSON_FILE ? /\.json$/i.test(file.name) : file.name === name));
    const [file] = found;
    if (!file || found.length > 1)
      throw new ArgumentError(
        `${op}: expected ${path === JSON_FILE ? 'one model.json' : `one ${name}`} among the files, got ${found.length} of ${files.map((each) => each.name).join(', ')}`,
      );
    return file.arrayBuffer();
  };
}

/**
 * Reads the model.json of a LayersModel with all of its shards, for {@link loadWeights} and {@link saveWeights}.
 * @param source the path of model.json (Node), its URL as text or as a URL, or the Files that a user picked
 * @throws ArgumentError for anything else, where the server has none, or where one of the Files is missing; the
 * system's error (`code: 'ENOENT'`); FormatError for another JSON
 */
export const readModelFiles: (
  source: string | { readonly href: string } | readonly ModelFile[],
) => Promise<ModelFiles> = promised(
  ['readModelFiles(source: model)'],
  async (source: string | { readonly href: string } | readonly ModelFile[]): Promise<ModelFiles> => {
    const op = 'readModelFiles';
    const open = Array.isArray(source) ? openList(op, source) : openPlace(op, source as string);
    const text = new TextDecoder().decode(await open(JSON_FILE));
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    const files = json as ModelFiles | undefined;
    if (!isObject(json) || !Array.isArray(files?.weightsManifest))
      throw new FormatError(
        `${op}: expected the model.json of a LayersModel, with weightsManifest, got ${text.slice(0, 40)}; tensorflowjs_converter and model.save() write one`,
      );
    const paths = files.weightsManifest.flatMap((group) => group.paths ?? []);
    return { ...files, weightData: await Promise.all(paths.map(open)) };
  },
  own,
);

/**
 * Writes model.json, and all weights into one file beside it, `model.weights.bin` for `model.json`; each is replaced
 * whole, or not at all. Servers hand both to `tf.loadLayersModel(url)`. For Node.
 * @param path of model.json, in a folder that is there
 * @param files what {@link saveWeights} or a handler of `tf.io` gives
 * @throws ArgumentError, FormatError for what is none; the system's error; BackendError outside of Node
 */
export const writeModelFiles: (path: string, files: ModelFiles) => Promise<void> = promised(
  ['writeModelFiles(path: path, files: files)'],
  async (path: string, files: ModelFiles): Promise<void> => {
    const { weightSpecs, weightData, ...rest } = writableFiles('writeModelFiles', files);
    const place = path.replace(/(\.json)?$/i, '.weights.bin');
    const name = place.replace(/^.*[/\\]/, '');
    const weightsManifest = [{ paths: [name], weights: weightSpecs as readonly WeightSpec[] }];
    await writeFileAtomic(place, weightData as ArrayBuffer);
    const json = JSON.stringify({ format: 'layers-model', ...rest, weightsManifest });
    await writeFileAtomic(path, new TextEncoder().encode(json));
  },
  own,
);

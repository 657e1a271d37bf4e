// What a row of the table is: how a kernel of TensorFlow.js is computed by ours, and for which inputs.
import type { EagerKernel } from '../kernels/eager.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import { numelOf } from '../sizes.ts';
import type { Backend } from './backend.ts';
import type { Info, TfDtype } from './engine.ts';

/** Dtypes as bits, so that a row says which it takes by `F | I`. */
export const F = 1;
export const I = 2;
export const B = 4;
/** The bit of a dtype. A look into a table by names that vary is slow. */
const bitOf = (dtype: TfDtype): number => (dtype === 'float32' ? F : dtype === 'int32' ? I : dtype === 'bool' ? B : 0);

/** Lists of sizes and strides of more dims, or of twice as many where each is split in two, do not fit a call. */
const MOST_DIMS = 16;

/** An input that a call may leave out. */
export interface Optional {
  readonly mask: number;
}
export const maybe = (mask: number): Optional => ({ mask });

/** Which dtypes each input may have. */
export type Takes = Readonly<Record<string, number | Optional>>;
type Given<T extends Takes> = { readonly [K in keyof T]: T[K] extends Optional ? Info | undefined : Info };

/** What computes a kernel. All data of results is its own or shared; inputs have the dtypes that the row takes. */
type Run<I, A> = (backend: Backend, inputs: I, attrs: A) => Info | Info[];

/** A row, its types forgotten. */
export interface Row {
  /** Whether ours computes this call; otherwise the cpu backend's does. */
  fits(backend: Backend, inputs: object, attrs: unknown): boolean;
  run(backend: Backend, inputs: object, attrs: unknown): Info | Info[];
}

/** Rows by the kernel's name, and the families of kernels outside of the core that they call. */
export interface Family {
  readonly kernels: readonly (readonly EagerKernel[])[];
  readonly rows: Readonly<Record<string, Row>>;
}

/**
 * Whether kernels may read an input: of one of the dtypes, under which its data was written (kernels of the cpu backend
 * give integers for floats), and as large as its shape. @throws ArgumentError where a shape was changed in place
 */
function isReadable(backend: Backend, info: Info, mask: number): boolean {
  if ((mask & bitOf(info.dtype)) === 0 || info.shape.length > MOST_DIMS) return false;
  const { dtype, size } = backend.at(info);
  if (dtype !== info.dtype) return false;
  if (size < numelOf(info.shape))
    throw new ArgumentError(
      `retrograd: expected ${size} elements for a tensor, got shape ${formatShape(info.shape)}; shapes cannot be changed in place, use reshape()`,
    );
  return true;
}

/**
 * A row of a kernel with named inputs.
 * @param takes the inputs by name, with their dtypes: `{ x: F | I, bias: maybe(F) }`
 * @param when further conditions; where they do not hold the cpu backend's kernel runs
 */
export function row<const T extends Takes, A = unknown>(
  takes: T,
  run: Run<Given<T>, A>,
  when?: (inputs: Given<T>, attrs: A) => boolean,
): Row {
  const names = Object.keys(takes);
  const masks = names.map((name) => {
    const spec = takes[name] as number | Optional;
    return typeof spec === 'number' ? spec : spec.mask;
  });
  const needed = names.map((name) => typeof takes[name] === 'number');
  return {
    fits: (backend, inputs, attrs) => {
      for (let i = 0; i < names.length; i++) {
        const info = (inputs as Readonly<Record<string, Info | null | undefined>>)[names[i] as string];
        if (info ? !isReadable(backend, info, masks[i] as number) : needed[i]) return false;
      }
      return when?.(inputs as Given<T>, attrs as A) ?? true;
    },
    run: run as Row['run'],
  };
}

/** A row of a kernel that takes a list of tensors. */
export const listRow = <A = unknown>(
  mask: number,
  run: Run<readonly Info[], A>,
  when?: (inputs: readonly Info[], attrs: A) => boolean,
): Row => ({
  fits: (backend, inputs, attrs) => {
    const list = Object.values(inputs) as Info[];
    for (const info of list) if (!isReadable(backend, info, mask)) return false;
    return when?.(list, attrs as A) ?? true;
  },
  run: (backend, inputs, attrs) => run(backend, Object.values(inputs) as Info[], attrs as A),
});

// Calls of a kernel at sizes around its vectors, and the same as calls of one unit each: made from nothing but its
// descriptor.
import { type Argument, type Command, extentOf, operandsOf, sizesOf, stepOf } from '../../bindings/kernels/command.ts';
import type { BufferSpec } from '../../bindings/kernels/descriptor.ts';
import { descriptorOf, type KernelName } from '../../bindings/kernels/table.ts';
import {
  buffersOf,
  type Call,
  leftOut,
  listsOf,
  MOST_ELEMENTS,
  type Numbers,
  numberNames,
  numbersOf,
  withStrides,
  withUnits,
} from './trials.ts';

/** Sizes around a vector W = 4 and a block of four: none, one, W - 1, W, W + 1, 2W, around 4W, and a prime. */
const AROUND = [0, 1, 3, 4, 5, 8, 15, 16, 17, 37] as const;

/** Operands of more elements are tried in one length only. */
const MOST_OF_MANY = 1 << 13;

/** Calls of a kernel with each size around its vectors, the others small or one; contiguous, and with gaps. */
export function aroundVectors(kernel: KernelName): Call[] {
  const { trials } = descriptorOf(kernel);
  const { ones, small, others, sizes, strides } = numberNames(kernel);
  const bases = [ones, small];
  for (const base of [ones, small])
    for (const name of sizes) for (const n of AROUND) bases.push({ ...base, [name]: n });
  const numbers =
    trials ?? bases.flatMap((base) => [0, 3].map((gap) => withStrides(kernel, { ...base, ...others }, strides, gap)));
  const calls = new Map<string, Call>();
  const add = (call: Call, most: number): void => {
    const sizes = sizesOf({ kernel, call });
    const impossible = ([, spec]: [string, BufferSpec]): boolean => {
      const n = extentOf(spec, sizes);
      return n > most || (n > 0 && spec.below !== null && sizes[spec.below] === 0); // no index is below 0
    };
    if (buffersOf(kernel).some(impossible)) return;
    for (const names of leftOut(kernel)) {
      const one = { ...call, ...Object.fromEntries(names.map((name) => [name, null])) };
      calls.set(JSON.stringify(one), one);
    }
  };
  for (const each of numbers)
    for (const list of listsOf(kernel)) {
      const call: Call = list ? { ...each, [list[0]]: list[1] } : each;
      add(call, MOST_ELEMENTS);
      for (const longer of list ? inOtherLengths(kernel, call) : []) add(longer, MOST_OF_MANY);
    }
  return [...calls.values()];
}

/** A call whose list says how many units there are, with other numbers of them. */
function inOtherLengths(kernel: KernelName, call: Call): Call[] {
  const along = descriptorOf(kernel).cut?.(sizesOf({ kernel, call }))?.along;
  if (!along || along in call) return [];
  return AROUND.flatMap((units) => {
    const other = withUnits(kernel, call, along, units);
    return other ? [other] : [];
  });
}

/** The sizes along which a kernel may be cut, in one call or another. */
const alongs = new Map<KernelName, readonly string[]>();
export function alongsOf(kernel: KernelName): readonly string[] {
  let found = alongs.get(kernel);
  if (!found) {
    const { cut } = descriptorOf(kernel);
    const cuts = numbersOf(kernel).flatMap((numbers) =>
      listsOf(kernel).map((list) =>
        cut?.(sizesOf({ kernel, call: list ? { ...numbers, [list[0]]: list[1] } : numbers })),
      ),
    );
    found = [...new Set(cuts.flatMap((each) => each?.along ?? []))];
    alongs.set(kernel, found);
  }
  return found;
}

/** A call of one unit: its numbers, and how many bytes behind those of the whole its operands begin. */
export interface Unit {
  readonly call: Call;
  readonly offsets: Readonly<Record<string, number>>;
}

/** Whether operands keep their layout where a call has one unit along `along`: no stride follows from that size. */
const keepsLayout = (kernel: KernelName, along: string, sizes: Numbers): boolean =>
  buffersOf(kernel).every(([, { axes }]) => {
    const at = axes.findIndex(({ size }) => size === along);
    const fixed = axes.findLastIndex(({ stride }, i) => i < at && stride !== null);
    return (
      axes
        .slice(fixed + 1, Math.max(at, 0))
        .every(({ size }) => (typeof size === 'number' ? size : sizes[size]) === 1) ||
      (fixed >= 0 && fixed === at - 1)
    );
  });

/** Units that go together where they are no single ones: numbers are drawn by blocks, and weights repeat by the row. */
function together(kernel: KernelName, along: string, sizes: Numbers): number {
  if (/^(randint_i32|uniform_f32|normal_f32|bernoulli_f32)$/.test(kernel)) return 4;
  if (kernel === 'dropout_forward_f32') return 16;
  if (kernel === 'attention_forward_f32' && along === 'rows') return 64; // queries of a block
  return kernel.startsWith('bce_with_logits_') ? Math.max(1, sizes.inner as number) : 1;
}

/** Whether a call may be cut along `along`: all taps of a gradient are made at once, but for one channel of x. */
const mayCut = (kernel: KernelName, along: string, sizes: Numbers): boolean =>
  kernel !== 'conv_nhwc_backward_weight_f32' || along !== 'taps' || sizes.in === 1;

/** Calls of a trial: more take long, and show no more. */
const MOST_CALLS = 300;

/** The call as calls of one unit along each size that it may be cut along. */
export function unitsIn({ kernel, call: whole }: Command): Unit[] {
  const name = kernel as KernelName;
  const first = descriptorOf(name).cut?.(sizesOf({ kernel, call: whole }))?.along;
  if (!first) return [];
  let units: Unit[] = [{ call: whole, offsets: {} }];
  for (const along of [first, ...alongsOf(name).filter((other) => other !== first)])
    units = cutAll(name, units, along, along === first);
  return units;
}

/** Each of `calls` as calls of one unit along `along`, or of a few where there would be too many. */
function cutAll(kernel: KernelName, calls: readonly Unit[], along: string, known: boolean): Unit[] {
  const [first] = calls;
  const many = first && calls.length * (sizesOf({ kernel, call: first.call })[along] as number) > MOST_CALLS;
  if (!known && many) return [...calls];
  return calls.flatMap((unit) => alongOne(kernel, unit, along, known));
}

function alongOne(kernel: KernelName, unit: Unit, along: string, known: boolean): Unit[] {
  const sizes = sizesOf({ kernel, call: unit.call });
  if (!mayCut(kernel, along, sizes) || (!known && !keepsLayout(kernel, along, sizes))) return [unit];
  const units = sizes[along] as number;
  const several = together(kernel, along, sizes) * Math.ceil(units / MOST_CALLS);
  return Array.from({ length: Math.ceil(units / several) }, (_, k) => {
    const from = k * several;
    const count = Math.min(several, units - from);
    const call: Record<string, Argument> = { ...unit.call };
    const offsets: Record<string, number> = { ...unit.offsets };
    if (along in call) call[along] = count;
    for (const [name, spec] of operandsOf(kernel))
      if (spec.kind === 'buffer') offsets[name] = (offsets[name] ?? 0) + from * stepOf(spec, along, sizes);
      else if (spec.kind === 'list')
        call[name] = (call[name] as readonly number[]).map((word, at) => (spec.words[at] === along ? count : word));
      else if ('moves' in spec && spec.moves === along) call[name] = (call[name] as number) + from;
    return { call, offsets };
  });
}

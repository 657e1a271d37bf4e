// Attention, forward and both gradients: assembly/attention/attention.ts says what the operands are.

import { optional } from '../lookup.ts';
import { code, f32, input, kernel, list, maybe, moving, output, size, workspace } from './descriptor.ts';
import { MULTIPLY_ADD } from './gemm.ts';

/** The words of the list, in order. */
export const ATTENTION_WORDS = [
  ...(['batch', 'heads', 'group', 'qBatch', 'qHead', 'qGroup', 'qRow', 'qCol'] as const),
  ...(['kBatch', 'kHead', 'kRow', 'kCol', 'vBatch', 'vHead', 'vRow', 'vCol'] as const),
  ...(['oBatch', 'oHead', 'oGroup', 'oRow', 'lBatch', 'lHead', 'lGroup'] as const),
  ...(['mBatch', 'mHead', 'mGroup', 'mRow', 'mCol', 'allHeads', 'allRows'] as const),
  ...(['dqBatch', 'dqHead', 'dqGroup', 'dqRow', 'dkBatch', 'dkHead', 'dkRow', 'dvBatch', 'dvHead', 'dvRow'] as const),
] as const;

/** The most that heads of keys and of values may be wide together: their blocks stand in the workspace. */
export const MOST_WIDE = 2048;

/** Trials have up to 140 queries and 130 keys, 20 wide, and values 12 wide. */
const trial = (batch: number, heads: number, group: number): number[] => {
  const [q, kv, o] = [heads * group * 20, heads * 20, heads * group * 12];
  return [
    ...[batch, heads, group, 140 * q, group * 20, 20, q, 1],
    ...[130 * kv, 20, kv, 1, 130 * heads * 12, 12, heads * 12, 1],
    ...[140 * o, group * 12, 12, o, heads * group * 140, group * 140, 140],
    ...[140 * 130, 0, 0, 130, 1, heads, 140],
    ...[140 * q, group * 20, 20, q, 130 * kv, 20, kv, 130 * heads * 12, 12, heads * 12],
  ];
};

const looks = optional(() => list(ATTENTION_WORDS, () => ({}), [trial(1, 1, 2), trial(3, 1, 1), trial(1, 2, 2)]));

const q = () =>
  input('f32', ['batch', 'qBatch'], ['heads', 'qHead'], ['group', 'qGroup'], ['rows', 'qRow'], ['width', 'qCol']);
const k = () => input('f32', ['batch', 'kBatch'], ['heads', 'kHead'], ['keys', 'kRow'], ['width', 'kCol']);
const v = () => input('f32', ['batch', 'vBatch'], ['heads', 'vHead'], ['keys', 'vRow'], ['depth', 'vCol']);
const y = () => input('f32', ['batch', 'oBatch'], ['heads', 'oHead'], ['group', 'oGroup'], ['rows', 'oRow'], 'depth');
const lse = () => input('f32', ['batch', 'lBatch'], ['heads', 'lHead'], ['group', 'lGroup'], 'rows');
const mask = (type: 'f32' | 'u8') =>
  maybe(input(type, ['batch', 'mBatch'], ['heads', 'mHead'], ['group', 'mGroup'], ['rows', 'mRow'], ['keys', 'mCol']));
const masks = () => ({ mask: mask('f32'), allowed: mask('u8'), state: maybe(input('i32', 4)) });
const numbers = { rows: size, keys: size, width: size, depth: size, scale: f32, causal: code('no', 'yes'), p: f32 };
/** The same range of memory, written. */
const written = <T extends ReturnType<typeof input>>(spec: T): T => ({ ...spec, reads: false, writes: true });

interface Sizes {
  readonly rows: number;
  readonly keys: number;
  readonly width: number;
  readonly depth: number;
  readonly causal: number;
  readonly dims: readonly number[];
}
const products = ({ rows, keys, width, depth, causal, dims: [batch = 0, heads = 0, group = 0] }: Sizes): number =>
  batch * heads * group * rows * keys * (width + depth) * MULTIPLY_ADD * (causal ? 0.5 : 1);

const trials = optional(() =>
  [
    { rows: 140, keys: 130, width: 20, depth: 12, causal: 1 },
    { rows: 67, keys: 5, width: 7, depth: 12, causal: 0 },
  ].map((sizes) => ({ ...sizes, scale: 0.3, p: 0.25, firstBatch: 0, firstHead: 0, firstRow: 0 })),
);

export const attentionKernels = optional(() => ({
  attention_forward_f32: kernel(
    {
      out: written(y()),
      lse: written(lse()),
      ...{ q: q(), k: k(), v: v(), ...masks(), ...numbers },
      ...{ firstBatch: moving('batch'), firstHead: moving('heads'), firstRow: moving('rows') },
      workspace,
      dims: looks,
    },
    {
      cut: ({ batch, heads }) => {
        if (batch === 1 && heads === 1) return { along: 'rows', grain: 64 };
        return batch < heads ? { along: 'heads', grain: 1 } : { along: 'batch', grain: 1 };
      },
      cost: products,
      trials,
    },
  ),
  attention_backward_f32: kernel(
    {
      dq: output('f32', ['batch', 'dqBatch'], ['heads', 'dqHead'], ['group', 'dqGroup'], ['rows', 'dqRow'], 'width'),
      dk: output('f32', ['batch', 'dkBatch'], ['heads', 'dkHead'], ['keys', 'dkRow'], 'width'),
      dv: output('f32', ['batch', 'dvBatch'], ['heads', 'dvHead'], ['keys', 'dvRow'], 'depth'),
      g: y(),
      ...{ q: q(), k: k(), v: v(), mask: mask('f32'), allowed: mask('u8'), y: y(), lse: lse() },
      ...{ state: maybe(input('i32', 4)), ...numbers, firstBatch: moving('batch'), firstHead: moving('heads') },
      workspace,
      dims: looks,
    },
    {
      cut: ({ batch, heads }) => (batch < heads ? { along: 'heads', grain: 1 } : { along: 'batch', grain: 1 }),
      cost: (sizes) => 2.5 * products(sizes),
      trials: trials.map(({ firstRow: _, ...rest }) => rest),
    },
  ),
}));

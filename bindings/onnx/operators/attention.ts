// Attention, and rotary embeddings.
import { arange } from '../../creation.ts';
import { constantFor } from '../../functional/arguments.ts';
import { scaledDotProductAttention } from '../../functional/attention.ts';
import { repeatInterleave } from '../../functional/count.ts';
import * as F from '../../functional/elementwise.ts';
import { indexSelect } from '../../functional/indexing.ts';
import { matmul } from '../../functional/matmul.ts';
import { pad } from '../../functional/pad.ts';
import { amax, softmax } from '../../functional/reduction.ts';
import * as S from '../../functional/shape.ts';
import type { Tensor } from '../../tensor.ts';
import type { Call, Family, Operator } from '../operator.ts';

/** [n, rows, heads · width] as [n, heads, rows, width]. */
function split(x: Tensor, heads: number): Tensor {
  if (x.ndim === 4) return x;
  const [n, rows, width] = x.sizes as [number, number, number];
  return S.transpose(S.reshape(x, [n, rows, heads, width / heads]), 1, 2);
}

const range = (from: number, to: number): Tensor => arange(from, to, 1, { dtype: 'i32' });

/** Numbers that are added to the scores: −∞ where nothing is looked at; null where all is. */
function biasOf(call: Call, rows: number, keys: number, past: number): Tensor | null {
  let bias = call.maybe(3);
  if (bias?.dtype === 'u8') bias = F.where(bias, 0, constantFor(bias, Number.NEGATIVE_INFINITY));
  if (bias && (bias.sizes.at(-1) as number) < keys)
    bias = pad(bias, [0, keys - (bias.sizes.at(-1) as number)], 'constant', Number.NEGATIVE_INFINITY);
  const hide = (masked: Tensor): void => {
    const more = F.where(masked, constantFor(masked, Number.NEGATIVE_INFINITY), 0);
    bias = bias ? F.add(bias, more) : more;
  };
  const key = S.reshape(range(0, keys), [1, keys]);
  const [left, right] = [call.attr('left_window_size'), call.attr('right_window_size')];
  // Keys that were there before the first query; of a cache outside, the last queries are for its last keys.
  const lengths = call.has(6) ? S.reshape(call.index(6), [-1, 1, 1, 1]) : null;
  const own = S.reshape(range(past, past + rows), [rows, 1]);
  const place = lengths ? F.add(own, F.sub(lengths, rows)) : own;
  if (call.attr('is_causal')) hide(F.gt(key, place));
  if (left >= 0) hide(F.lt(key, F.sub(place, left)));
  if (right >= 0) hide(F.gt(key, F.add(place, right)));
  if (lengths) hide(F.ge(key, lengths));
  return bias;
}

/** Softmax of which a row of −∞ is 0. */
function weightsOf(scores: Tensor): Tensor {
  const dead = F.eq(amax(scores.detach(), -1, true), Number.NEGATIVE_INFINITY);
  return F.where(dead, 0, softmax(F.where(dead, 0, scores), -1));
}

const shared = (x: Tensor, heads: number): Tensor => {
  const groups = heads / (x.sizes[1] as number);
  return groups === 1 ? x : repeatInterleave(x, groups, 1);
};

const attention: Operator = {
  takes:
    'Q K V attn_mask? past_key? past_value? nonpad_kv_seqlen? | is_causal=0 kv_num_heads:int left_window_size=-1 right_window_size=-1 q_num_heads:int qk_matmul_output_mode=0 scale:float softcap=0 softmax_precision:int',
  types: ({ types }) => [0, 1, 2, 0].map((i) => types[i] as number),
  run: (call) => {
    const flat = call.sizes().length === 3;
    const q = split(call.float(0), call.attr('q_num_heads'));
    let [k, v] = [1, 2].map((i) => split(call.float(i), call.attr('kv_num_heads'))) as [Tensor, Tensor];
    const past = call.has(4) ? (call.sizes(4)[2] as number) : 0;
    if (call.has(4)) [k, v] = [S.cat([call.float(4), k], 2), S.cat([call.float(5), v], 2)];
    const present = [k, v];
    const [, heads, rows, width] = q.sizes as [number, number, number, number];
    const bias = biasOf(call, rows, k.sizes[2] as number, past);
    const scale = call.attr('scale') ?? 1 / Math.sqrt(width);
    const keys = shared(k, heads);
    const values = shared(v, heads);
    const cap = call.attr('softcap');
    let [y, scores]: [Tensor, Tensor | null] = [q, null];
    if (cap || call.wants(3)) {
      const raw = F.mul(matmul(q, S.transpose(keys, -2, -1)), scale);
      const capped = cap ? F.mul(F.tanh(F.div(raw, cap)), cap) : raw;
      const masked = bias ? F.add(capped, bias) : capped;
      const weights = weightsOf(masked);
      scores = [raw, capped, masked, weights][call.attr('qk_matmul_output_mode')] ?? null;
      y = matmul(weights, values);
    } else y = scaledDotProductAttention(q, keys, values, { attnMask: bias, scale });
    if (flat) y = S.reshape(S.transpose(y, 1, 2), [y.sizes[0] as number, rows, -1]);
    return [y, ...present, scores];
  },
};

/** Pairs of numbers turned by an angle that grows with their place. */
const rotary: Operator = {
  takes: 'X cos_cache sin_cache position_ids? | interleaved=0 num_heads=0 rotary_embedding_dim=0',
  run: (call) => {
    const x = call.float(0);
    const heads = x.ndim === 4 ? (x.sizes[1] as number) : call.attr('num_heads');
    const all =
      x.ndim === 4 ? S.transpose(x, 1, 2) : S.reshape(x, [x.sizes[0] as number, x.sizes[1] as number, heads, -1]);
    const width = all.sizes[3] as number;
    const turned = call.attr('rotary_embedding_dim') || width;
    const [n, rows] = all.sizes as [number, number];
    const cache = (i: number): Tensor => {
      const table = call.float(i);
      if (!call.has(3)) return S.unsqueeze(S.narrow(table, -1, 0, turned / 2), 2);
      const index = S.reshape(call.index(3), [-1]);
      return S.reshape(S.narrow(indexSelect(table, 0, index), -1, 0, turned / 2), [n, rows, 1, turned / 2]);
    };
    const [cos, sin] = [cache(1), cache(2)];
    const part = S.narrow(all, 3, 0, turned);
    const pairs = call.attr('interleaved')
      ? S.unbind(S.reshape(part, [n, rows, heads, turned / 2, 2]), 4)
      : S.split(part, turned / 2, 3);
    const [a, b] = pairs as [Tensor, Tensor];
    const real = F.sub(F.mul(cos, a), F.mul(sin, b));
    const imaginary = F.add(F.mul(sin, a), F.mul(cos, b));
    const joined = call.attr('interleaved')
      ? S.reshape(S.stack([real, imaginary], 4), part.sizes)
      : S.cat([real, imaginary], 3);
    const y = turned < width ? S.cat([joined, S.narrow(all, 3, turned, width - turned)], 3) : joined;
    return x.ndim === 4 ? S.transpose(y, 1, 2) : S.reshape(y, x.sizes);
  },
};

/** A sum of products of keys and values that fades or is corrected from step to step, and is read by queries. */
const linear: Operator = {
  takes:
    'query key value past_state? decay? beta? | chunk_size:int kv_num_heads!:int q_num_heads!:int scale=0 update_rule=gated_delta',
  types: ({ types }) => [types[0] ?? 0, types[3] || (types[0] ?? 0)],
  run: (call) => {
    const [heads, own] = [call.attr('q_num_heads'), call.attr('kv_num_heads')];
    const q = split(call.float(0), heads);
    const [k, v] = [1, 2].map((i) => split(call.float(i), own)) as [Tensor, Tensor];
    const [n, , steps, width] = q.sizes as [number, number, number, number];
    const rule = call.word('update_rule', 'linear', 'gated', 'delta', 'gated_delta');
    // Of each head: [n, heads, steps, 1 or width].
    const decay = rule.startsWith('gated') ? F.exp(split(call.float(4), own)) : null;
    const beta = rule.endsWith('delta') ? split(call.float(5), call.sizes(5)[2] === 1 ? 1 : own) : null;
    let state = call.has(3) ? call.float(3) : constantFor(q, 0, 'f32', [n, own, width, v.sizes[3] as number]);
    const rows: Tensor[] = [];
    for (let t = 0; t < steps; t++) {
      // A row of each head, [n, heads, 1, width].
      const [query, key, value] = [q, k, v].map((x) => S.narrow(x, 2, t, 1)) as [Tensor, Tensor, Tensor];
      if (decay) state = F.mul(state, S.transpose(S.narrow(decay, 2, t, 1), 2, 3));
      const added = beta ? F.mul(S.narrow(beta, 2, t, 1), F.sub(value, matmul(key, state))) : value;
      state = F.add(state, matmul(S.transpose(key, 2, 3), added));
      rows.push(matmul(query, shared(state, heads)));
    }
    const y = F.mul(S.cat(rows, 2), call.attr('scale') || 1 / Math.sqrt(width));
    return [S.reshape(S.transpose(y, 1, 2), [n, steps, -1]), state];
  },
};

export const attentions: Family = { Attention: attention, LinearAttention: linear, RotaryEmbedding: rotary };

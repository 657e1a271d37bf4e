// Which tokens a transformer's outputs come from, by its attention.
import { withoutTape } from '../autograd.ts';
import { eye } from '../creation.ts';
import { setWatch, watching } from '../execute.ts';
import { attentionScores } from '../functional/attention.ts';
import { where } from '../functional/elementwise.ts';
import { kthvalue } from '../functional/sort.ts';
import { isPlain } from '../kinds.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import { MultiheadAttention } from '../nn/attention.ts';
import type { Module } from '../nn/module.ts';
import { scope } from '../scope.ts';
import { taking } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { preserving } from './subject.ts';

/** Options of {@link attentionRollout}. */
export interface RolloutOptions {
  /** How the heads of a layer become one. @defaultValue 'mean' */
  readonly headFusion?: 'mean' | 'max' | 'min';
  /** The part of the weights, the lowest ones, that counts as 0. @defaultValue 0 */
  readonly discardRatio?: number;
  /** What the model takes behind the inputs. @defaultValue null */
  readonly additionalForwardArgs?: readonly unknown[] | null;
}

/** Arguments of MultiheadAttention's forward, so that it gives the weights of each head. */
function wanting(args: readonly unknown[]): unknown[] {
  const options = isPlain(args.at(-1)) ? (args.at(-1) as Readonly<Record<string, unknown>>) : {};
  const { needWeights: _, averageAttnWeights: __, ...rest } = options;
  const front: unknown[] = args.slice(0, isPlain(args.at(-1)) ? -1 : args.length);
  const named: Record<string, unknown> = { ...rest };
  if (front.length > 4) front[4] = true;
  else named.needWeights = true;
  if (front.length > 6) front[6] = false;
  else named.averageAttnWeights = false;
  return [...front, named];
}

/** What an attention of functions, or of other modules, looked at: its weights [n, heads, queries, keys]. */
function weightsOf({ q, k, mask }: Readonly<Record<string, Tensor | null>>, attrs: unknown): Tensor {
  const { causal, scale } = attrs as { readonly causal: boolean; readonly scale: number };
  const [query, key] = [q, k].map((x) => (x as Tensor).detach().transpose(1, 2)) as [Tensor, Tensor];
  const [n, heads, rows, width] = query.sizes as [number, number, number, number];
  const [, shared, keys] = key.sizes as [number, number, number];
  // Heads in groups share the keys.
  const own = key
    .unsqueeze(2)
    .expand([n, shared, heads / shared, keys, width])
    .reshape([n, heads, keys, width]);
  const scores = attentionScores(query, own, { mask: mask ?? null, causal, scale, dropout: 0 });
  return scores.softmax(-1).reshape([n, heads, rows, keys]);
}

/** One matrix for the heads of a layer, [n, queries, keys], of which the lowest weights are 0. */
function fused(weights: Tensor, fusion: 'mean' | 'max' | 'min', ratio: number): Tensor {
  const one = fusion === 'mean' ? weights.mean(1) : fusion === 'max' ? weights.amax(1) : weights.amin(1);
  const [n, rows, keys] = one.sizes as [number, number, number];
  const least = Math.floor(ratio * rows * keys);
  if (least < 1) return one;
  const last = kthvalue(one.reshape([n, rows * keys]), least, 1).values.reshape([n, 1, 1]);
  return where(one.le(last), one.mul(0), one);
}

/**
 * How much each token at the end owes to each at the start, by the attention of all layers multiplied, each with the
 * half that residuals take past it (Abnar and Zuidema 2020). It reads the weights of all nn.MultiheadAttention of the
 * model, those of nn.TransformerEncoder among them, and of calls of functional.scaledDotProductAttention, by which
 * models of Hugging Face attend, in the order in which they run.
 * @returns [n, tokens, tokens]: for each token the shares of all tokens, which add up to 1
 * @throws ArgumentError where the model does not attend, or one that attends to others' tokens
 * @example
 * ```ts
 * const layer = new nn.TransformerEncoderLayer(16, 4, 32, { batchFirst: true });
 * const model = new nn.TransformerEncoder(layer, 2).eval();
 * console.log(explain.attentionRollout(model, randn([2, 5, 16])).shape); // [2, 5, 5]
 * ```
 */
export const attentionRollout: (model: Module, inputs: Tensor | readonly Tensor[], options?: RolloutOptions) => Tensor =
  taking(
    "attentionRollout(model: Module, inputs: Tensor|Tensor[], *, headFusion: 'mean'|'max'|'min' = 'mean', discardRatio: number = 0, additionalForwardArgs: any[]|null = null)",
    (
      model: Module,
      inputs: Tensor | readonly Tensor[],
      fusion: 'mean' | 'max' | 'min',
      ratio: number,
      extra: readonly unknown[] | null,
    ) => {
      const op = 'attentionRollout';
      if (!(ratio >= 0 && ratio < 1)) throw new ArgumentError(`${op}: expected discardRatio from 0 to 1, got ${ratio}`);
      const layers = model.modules().filter((each) => each instanceof MultiheadAttention);
      const found: Tensor[] = [];
      const run = (): void => {
        const { forward } = model as unknown as { forward(...args: unknown[]): unknown };
        forward.apply(model, [...(inputs instanceof Tensor ? [inputs] : inputs), ...(extra ?? [])]);
      };
      const handles = layers.flatMap((layer) => [
        layer.registerForwardPreHook((_module, args) => wanting(args as readonly unknown[])),
        layer.registerForwardHook((_module, _args, output) => {
          const [, weights] = output as [Tensor, Tensor | null];
          const heads = weights?.ndim === 3 ? weights.unsqueeze(0) : weights;
          if (heads) found.push(fused(heads.detach(), fusion, ratio));
        }),
      ]);
      const before = watching();
      setWatch((name, link, run, made) => {
        if (before) before(name, link, run, made);
        else run();
        if (name !== 'attention') return;
        const own = watching();
        setWatch(null);
        found.push(fused(weightsOf(made.inputs as never, made.attrs), fusion, ratio));
        setWatch(own);
      });
      try {
        return preserving(model, () =>
          scope(() =>
            withoutTape(() => {
              run();
              const [first] = found;
              if (!first)
                throw new ArgumentError(
                  `${op}: expected a model with nn.MultiheadAttention or scaledDotProductAttention, got one in which none ran; attention that is put together from products leaves no weights to read`,
                );
              const tokens = first.sizes[1] as number;
              return found.reduce<Tensor>((rolled, each) => {
                if (each.sizes[1] !== tokens || each.sizes[2] !== tokens)
                  throw new ArgumentError(
                    `${op}: expected layers in which the tokens attend to each other, got weights ${formatShape(each.sizes)}; pass the encoder alone`,
                  );
                const halves = each.add(eye(tokens));
                return halves.div(halves.sum(2, true)).matmul(rolled);
              }, eye(tokens).unsqueeze(0).expand(first.sizes));
            }),
          ),
        );
      } finally {
        setWatch(before);
        for (const handle of handles) handle.remove();
      }
    },
  );

// The inputs in groups of elements, features, which are taken away and put back together.
import { arange } from '../creation.ts';
import { where } from '../functional/elementwise.ts';
import { gather, indexSelect } from '../functional/indexing.ts';
import { cat } from '../functional/shape.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { AttributeOptions, BaselineOptions } from './options.ts';
import type { Subject } from './subject.ts';

/** Options of the ways that take parts of the inputs away. */
export interface FeatureOptions extends BaselineOptions {
  /**
   * Which elements belong together: whole numbers (i32) from 0, of the shape of the input or of one that broadcasts to
   * it; one for each input, where the same number is the same feature. null: each element is a feature.
   * @defaultValue null
   */
  readonly featureMask?: Tensor | readonly Tensor[] | null;
}

/** Options of the ways that put other samples' features in. */
export interface PermutationOptions extends AttributeOptions {
  /** As that of {@link FeatureOptions}. @defaultValue null */
  readonly featureMask?: Tensor | readonly Tensor[] | null;
}

/** What they take by name. */
export const FEATURES = ', featureMask: Tensor|Tensor[]|null = null';

export class Features {
  readonly #subject: Subject;
  /** The feature of each element of each input, [1 or n, elements], i32. */
  readonly #ids: readonly Tensor[];
  /** How many. */
  readonly count: number;

  /** @throws ArgumentError, ShapeError, DtypeError */
  constructor(subject: Subject, mask: Tensor | readonly Tensor[] | null) {
    this.#subject = subject;
    const { inputs, op } = subject;
    let [count, most] = [0, 0];
    this.#ids = inputs.map((x, i) => {
      const elements = x.size / subject.n;
      if (!mask) {
        count += elements;
        return arange(count - elements, count, { dtype: 'i32' }).unsqueeze(0);
      }
      const own = subject.optionOf('feature masks', mask, i);
      if (own.dtype === 'f32')
        throw new DtypeError(`${op}: expected a featureMask of i32, got f32; convert it with .to('i32')`);
      const lead = x.ndim - own.ndim;
      if (lead < 0 || own.sizes.some((size, d) => size !== 1 && size !== x.sizes[lead + d]))
        throw new ShapeError(
          `${op}: expected a featureMask that broadcasts to ${formatShape(x.sizes)}, got ${formatShape(own.sizes)}`,
        );
      const rows = lead > 0 ? 1 : (own.sizes[0] as number);
      const ids = own
        .to('i32')
        .expand([rows, ...x.sizes.slice(1)])
        .reshape([rows, elements]);
      if (ids.amin().item() < 0)
        throw new ArgumentError(`${op}: expected a featureMask of numbers >= 0, got a negative one`);
      most = Math.max(most, ids.amax().item() + 1);
      return ids;
    });
    this.count = mask ? most : count;
  }

  /**
   * The inputs with other values in the place of features.
   * @param away 1 where a feature is taken away, [versions, count]
   * @param others what stands in their place, [1 or versions, n, …] for each input
   * @returns [versions · n, …]
   */
  without(away: Tensor, others: readonly Tensor[]): Tensor[] {
    const { inputs, n } = this.#subject;
    const versions = away.sizes[0] as number;
    return inputs.map((x, i) => {
      const ids = this.#ids[i] as Tensor;
      const gone = indexSelect(away, 1, ids.reshape([ids.size])).reshape([
        ...[versions, ids.sizes[0] as number],
        ...x.sizes.slice(1),
      ]);
      const mixed = where(gone, others[i] as Tensor, x.unsqueeze(0));
      return mixed.reshape([versions * n, ...x.sizes.slice(1)]);
    });
  }

  /** The numbers that are explained where features are at their baseline, [versions, n]. */
  scores(away: Tensor, baselines: readonly Tensor[]): Tensor {
    const versions = away.sizes[0] as number;
    const rows = this.without(
      away,
      baselines.map((b) => b.unsqueeze(0)),
    );
    return this.#subject.scores(rows, versions).reshape([versions, this.#subject.n]);
  }

  /** The numbers of features, [count, n], at all of their elements. */
  spread(values: Tensor): Tensor[] {
    const { inputs, n } = this.#subject;
    const each = values.transpose(0, 1);
    return inputs.map((x, i) => {
      const ids = this.#ids[i] as Tensor;
      const at = ids.expand([n, ids.sizes[1] as number]);
      return gather(each, 1, at.contiguous()).reshape(x.sizes);
    });
  }

  /** 1 for the features `from`, `from + 1`, …, one in each of `size` rows: [size, count]. */
  oneByOne(from: number, size: number): Tensor {
    const rows = arange(from, from + size, { dtype: 'i32' }).unsqueeze(1);
    return rows.eq(arange(0, this.count, { dtype: 'i32' }).unsqueeze(0));
  }
}

/** Numbers of versions, joined: [versions, n]. */
export const joined = (groups: readonly Tensor[]): Tensor =>
  groups.length === 1 ? (groups[0] as Tensor) : cat([...groups]);

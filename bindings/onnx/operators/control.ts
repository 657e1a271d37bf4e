// Control flow, by values that are known on the host.
import { full } from '../../creation.ts';
import { flip } from '../../functional/rearrange.ts';
import { select, stack, transpose } from '../../functional/shape.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Tensor } from '../../tensor.ts';
import * as H from '../host.ts';
import type { Body, Call, Family, Operator } from '../operator.ts';
import { dtypeOf, HostArray, numberOf, numbersOf, tensorOf, type Value } from '../values.ts';

/** A loop of more turns is taken for an endless one. */
const MOST_TURNS = 2 ** 20;

const branch: Operator = {
  takes: 'cond# | then_branch!:graph else_branch!:graph',
  types: (_, { then_branch: then }) => (then as Body).types,
  run: (call) => (call.bodies[call.number(0) ? 'then_branch' : 'else_branch'] as Body).run([]),
};

/** What all turns gave, along a new dim. */
function stacked(values: readonly Value[], type: number, dim = 0): Value {
  if (values.length === 0) return full([0], 0, { dtype: dtypeOf(type) });
  if (dim === 0 && values.every((value) => value instanceof HostArray))
    return H.joined(
      values.map((x) => new HostArray([1, ...x.sizes], (x as HostArray).data)),
      0,
    );
  return stack(
    values.map((value) => tensorOf(value, type)),
    dim,
  );
}

const loop: Operator = {
  takes: 'M?# cond?# v?... | body!:graph',
  types: ({ types }, { body }) => [...types.slice(2), ...(body as Body).types.slice(types.length - 1)],
  run: (call) => {
    const body = call.bodies.body as Body;
    const turns = call.number(0, Number.POSITIVE_INFINITY);
    let goes = call.number(1, 1) !== 0;
    let carried = call.values.slice(2) as Value[];
    const scanned: Value[][] = body.types.slice(carried.length + 1).map(() => []);
    for (let i = 0; goes && i < turns; i++) {
      if (i >= MOST_TURNS)
        throw new ArgumentError(`Loop: expected at most ${MOST_TURNS} turns, got more; mend the model`);
      const [next, ...results] = body.run([numberOf(i), numberOf(1), ...carried]) as [Value, ...Value[]];
      goes = numbersOf(next, 'Loop')[0] !== 0;
      scanned.forEach((list, k) => {
        list.push(results[carried.length + k] as Value);
      });
      carried = results.slice(0, carried.length);
    }
    return [...carried, ...scanned.map((list, k) => stacked(list, body.types[carried.length + 1 + k] as number))];
  },
};

/** Before opset 9: each of a batch by itself, along the dim behind; the first input says how long each is. */
function scanBatch(call: Call): Value[] {
  const body = call.bodies.body as Body;
  const count = call.attr('num_scan_inputs');
  const states = call.values.length - 1 - count;
  const given = Array.from({ length: states + count }, (_, i) => call.x(i + 1));
  const [batch = 0, longest = 0] = (given[states] as Tensor).sizes;
  const lengths = call.has(0) ? call.list(0) : null;
  const ways = call.ints('directions');
  const all = Array.from({ length: batch }, (_, b) => {
    let carried: Value[] = given.slice(0, states).map((x) => select(x, 0, b));
    const scanned: Value[][] = body.types.slice(states).map(() => []);
    const turns = lengths?.[b] ?? longest;
    for (let t = 0; t < turns; t++) {
      const parts = given.slice(states).map((x, i) => select(select(x, 0, b), 0, ways?.[i] ? turns - 1 - t : t));
      const results = body.run([...carried, ...parts]);
      carried = results.slice(0, states);
      scanned.forEach((list, k) => {
        list.push(results[states + k] as Value);
      });
    }
    return [...carried, ...scanned.map((list, k) => stacked(list, body.types[states + k] as number))];
  });
  return body.types.map((type, i) =>
    stacked(
      all.map((each) => each[i] as Value),
      type,
    ),
  );
}

/** Along an axis of some inputs, with states carried on. */
const scan: Operator = {
  takes:
    'X?... | body!:graph num_scan_inputs!:int scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints directions:ints',
  types: (_, { body }) => (body as Body).types,
  run: (call) => {
    if (call.opset < 9) return scanBatch(call);
    const body = call.bodies.body as Body;
    const count = call.attr('num_scan_inputs');
    const states = call.values.length - count;
    let carried = call.values.slice(0, states) as Value[];
    const inputs = Array.from({ length: count }, (_, i) => partsOf(call, states + i, i));
    const scanned: Value[][] = body.types.slice(states).map(() => []);
    const turns = inputs[0]?.sizes[0] ?? 0;
    for (let i = 0; i < turns; i++) {
      const results = body.run([...carried, ...inputs.map((x) => select(x, 0, i))]);
      carried = results.slice(0, states);
      scanned.forEach((list, k) => {
        list.push(results[states + k] as Value);
      });
    }
    return [
      ...carried,
      ...scanned.map((list, k) => {
        const way = call.ints('scan_output_directions')?.[k] ? [...list].reverse() : list;
        const axis = call.ints('scan_output_axes')?.[k] ?? 0;
        const rank = (list[0]?.sizes.length ?? 0) + 1;
        return stacked(way, body.types[states + k] as number, call.axis(axis, rank));
      }),
    ];
  },
};

/** An input with its turns along dim 0. */
function partsOf(call: Call, at: number, i: number): Tensor {
  const x = call.x(at);
  const axis = call.axis(call.ints('scan_input_axes')?.[i] ?? 0, x.ndim);
  const first = axis === 0 ? x : movedFirst(x, axis);
  return call.ints('scan_input_directions')?.[i] ? flip(first, [0]) : first;
}

const movedFirst = (x: Tensor, axis: number): Tensor => {
  let y = x;
  for (let d = axis; d > 0; d--) y = transpose(y, d, d - 1);
  return y;
};

export const control: Family = { If: branch, Loop: loop, Scan: scan };

// Sequences of tensors, and optional ones.
import { cat, narrow, select, split, stack } from '../../functional/shape.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { DATA } from '../messages.ts';
import { always, type Call, type Family, type Operator } from '../operator.ts';
import { numberOf, Sequence, tensorOf, type Value } from '../values.ts';

function sequence(call: Call, i = 0): readonly Value[] {
  const value = call.value(i);
  if (!(value instanceof Sequence)) throw new ArgumentError(`${call.node.op}: expected a sequence, got a tensor`);
  return value.items;
}

/** A place in a sequence, by default the end. */
function placeIn(call: Call, i: number, length: number, otherwise: number): number {
  const at = call.has(i) ? call.number(i) : otherwise;
  const place = at < 0 ? at + length : at;
  if (!(place >= 0 && place <= length))
    throw new ArgumentError(`${call.node.op}: expected a place in a sequence of ${length}, got ${at}`);
  return place;
}

const parts: Operator = {
  takes: 'X split?# | axis=0 keepdims=1',
  run: (call) => {
    const x = call.x();
    const axis = call.axis(call.attr('axis'), x.ndim);
    const size = x.sizes[axis] as number;
    if (!call.has(1)) {
      const one = (i: number): Value => (call.attr('keepdims') ? narrow(x, axis, i, 1) : select(x, axis, i));
      return new Sequence(Array.from({ length: size }, (_, i) => one(i)));
    }
    const sizes = call.value(1).sizes.length === 0 ? call.number(1) : call.list(1);
    return new Sequence(split(x, sizes, axis));
  },
};

export const sequences: Family = {
  ConcatFromSequence: {
    takes: 'S | axis!:int new_axis=0',
    run: (call) => {
      const tensors = sequence(call).map((value) => tensorOf(value, call.type()));
      return (call.attr('new_axis') ? stack : cat)(tensors, call.attr('axis'));
    },
  },
  Optional: {
    takes: 'X? | type:type',
    run: (call) => (call.has(0) ? call.value(0) : new Sequence([])),
  },
  OptionalGetElement: { takes: 'X', run: (call) => call.value(0) },
  OptionalHasElement: {
    takes: 'X?',
    types: always(DATA.BOOL),
    run: (call) => {
      const value = call.has(0) ? call.value(0) : null;
      return numberOf(Number(value !== null && !(value instanceof Sequence && value.items.length === 0)));
    },
  },
  SequenceAt: {
    takes: 'S position#',
    run: (call) => {
      const items = sequence(call);
      const item = items[placeIn(call, 1, items.length, 0)];
      if (!item) throw new ArgumentError(`SequenceAt: expected a place in a sequence of ${items.length}, got its end`);
      return item;
    },
  },
  SequenceConstruct: {
    takes: 'X...',
    run: (call) => new Sequence(call.values.map((_, i) => call.value(i))),
  },
  SequenceEmpty: {
    takes: ' | dtype=1',
    types: ({ attributes }) => [attributes.dtype as number],
    run: () => new Sequence([]),
  },
  SequenceErase: {
    takes: 'S position?#',
    run: (call) => {
      const items = sequence(call);
      return new Sequence(items.toSpliced(placeIn(call, 1, items.length, items.length - 1), 1));
    },
  },
  SequenceInsert: {
    takes: 'S X position?#',
    types: ({ types }) => [types[1] as number],
    run: (call) => {
      const items = sequence(call);
      return new Sequence(items.toSpliced(placeIn(call, 2, items.length, items.length), 0, call.value(1)));
    },
  },
  SequenceLength: {
    takes: 'S',
    types: always(DATA.INT64),
    run: (call) => numberOf(sequence(call).length),
  },
  SplitToSequence: parts,
};

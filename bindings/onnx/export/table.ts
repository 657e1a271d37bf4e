// The writer of every op that ONNX can express, by families.
import { convWriters } from './rows/conv.ts';
import { binaryWriters, unaryWriters } from './rows/elementwise.ts';
import { imageWriters } from './rows/image.ts';
import { bagWriters, indexingWriters } from './rows/indexing.ts';
import { lossWriters } from './rows/loss.ts';
import { normWriters } from './rows/norm.ts';
import { poolWriters } from './rows/pool.ts';
import { productWriters } from './rows/product.ts';
import { recurrentWriters } from './rows/recurrent.ts';
import { recurrenceWriters, reduceWriters } from './rows/reduce.ts';
import { shapeWriters } from './rows/shape.ts';
import type { AnyWriter } from './writers.ts';

export const writers = {
  ...unaryWriters,
  ...binaryWriters,
  ...shapeWriters,
  ...reduceWriters,
  ...recurrenceWriters,
  ...productWriters,
  ...normWriters,
  ...recurrentWriters,
  ...convWriters,
  ...poolWriters,
  ...imageWriters,
  ...indexingWriters,
  ...bagWriters,
  ...lossWriters,
} as unknown as Readonly<Record<string, AnyWriter>>;

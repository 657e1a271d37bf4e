// The op table: every op of the library, one row each. To find an op, find its family here. Programs carry the core and
// the families that they call: see rows.ts.
import { layerActivationRows, softplusRows } from './activation.ts';
import { attentionRows } from './attention.ts';
import { columnRows } from './columns.ts';
import { convRows } from './conv.ts';
import type { OpName, Row } from './core.ts';
import { ctcRows } from './ctc.ts';
import { embeddingRows } from './embedding.ts';
import { gridRows } from './grid.ts';
import { groupNormRows } from './groupnorm.ts';
import { crossEntropyRows, logitRows, nllRows, pointwiseLossRows } from './loss.ts';
import { batchNormRows, layerNormRows } from './norm.ts';
import { adagradRows, adamRows, clipRows, rmspropRows, sgdRows } from './optim.ts';
import {
  adadeltaRows,
  adamaxRows,
  asgdRows,
  lambRows,
  lionRows,
  nadamRows,
  radamRows,
  rpropRows,
} from './optimizers.ts';
import { orderRows } from './order.ts';
import { padRows } from './pad.ts';
import { poolRows } from './pool.ts';
import { rearrangeRows } from './rearrange.ts';
import { recurrenceRows } from './recurrence.ts';
import { resampleRows } from './resample.ts';
import { rmsNormRows } from './rmsnorm.ts';
import { rnnRows } from './rnn.ts';
import { sequenceRows } from './rnn-sequences.ts';
import { coreRows } from './rows.ts';
import { samplingRows } from './sampling.ts';
import { scatterRows } from './scatter.ts';
import { specialRows } from './special.ts';
import { unpoolRows } from './unpool.ts';
import { withinRows } from './within.ts';

export type { OpName };

export const table: { readonly [K in OpName]: Row } = {
  ...coreRows,
  ...softplusRows,
  ...layerActivationRows,
  ...attentionRows,
  ...convRows,
  ...crossEntropyRows,
  ...nllRows,
  ...logitRows,
  ...pointwiseLossRows,
  ...layerNormRows,
  ...batchNormRows,
  ...groupNormRows,
  ...columnRows,
  ...padRows,
  ...poolRows,
  ...rmsNormRows,
  ...unpoolRows,
  ...resampleRows,
  ...gridRows,
  ...rnnRows,
  ...sequenceRows,
  ...embeddingRows,
  ...rearrangeRows,
  ...orderRows,
  ...scatterRows,
  ...sgdRows,
  ...adamRows,
  ...rmspropRows,
  ...adagradRows,
  ...clipRows,
  ...withinRows,
  ...specialRows,
  ...recurrenceRows,
  ...ctcRows,
  ...samplingRows,
  ...nadamRows,
  ...radamRows,
  ...lambRows,
  ...adadeltaRows,
  ...adamaxRows,
  ...lionRows,
  ...asgdRows,
  ...rpropRows,
};

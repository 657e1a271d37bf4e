// Convolutions. The library has none yet, so that this family lists what it will time, and why it does not.
import * as retrograd from 'retrograd';
import type { Family } from '../problems.ts';

const PLANNED = [
  'conv2d forward, dInput and dWeight: 3×3, 1×1, 5×5 and 7×7/2',
  'depthwise 3×3',
  'the layers of ResNet-18 and MobileNetV2',
];

export function convFamily(): Family {
  const reason =
    'conv2d' in retrograd.functional
      ? 'functional.conv2d exists, but this family has no cases for it yet'
      : 'the library has no functional.conv2d yet';
  return { name: 'conv', cases: [], skipped: PLANNED.map((name) => ({ name, reason })) };
}

// TensorFlow.js' plain JavaScript backend.
import '@tensorflow/tfjs-backend-cpu';
import { version_core } from '@tensorflow/tfjs-core';
import type { Side } from '../problems.ts';
import { tfjsSide } from './tfjs.ts';

export const load = (): Promise<Side> => tfjsSide('cpu', `TensorFlow.js ${version_core}`);

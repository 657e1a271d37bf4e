import * as retrograd from '/build/lib/index.js';
import { train } from './train.js';

postMessage(await train(retrograd, '/digits.bin'));

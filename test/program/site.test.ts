// Where RecordingErrors and dumps say that the user's program is, by the stacks of engines and bundlers.
import { describe, expect, it } from 'vitest';
import { homeOf, placeIn } from '../../bindings/program/site.ts';

const host = 'http://localhost:5173';
const cases: Record<string, [own: string, frames: string[], place: string]> = {
  'Node, from the package': [
    'at file:///app/node_modules/retrograd/build/lib/core.js:630:15',
    [
      'at siteNow (file:///app/node_modules/retrograd/build/lib/core.js:640:15)',
      'at Linear.forward (file:///app/node_modules/retrograd/build/lib/nn.js:20:15)',
      'at Array.map (<anonymous>)',
      'at mine (file:///app/src/train.js:7:30)',
      'at file:///app/src/train.js:9:1',
    ],
    'at mine (file:///app/src/train.js:7:30)',
  ],
  'Vite, which puts packages into files with a hash in one folder': [
    `at ${host}/node_modules/.vite/deps/chunk-ABCD.js?v=1f2e:630:15`,
    [
      `at siteNow (${host}/node_modules/.vite/deps/chunk-ABCD.js?v=1f2e:640:15)`,
      `at Linear.forward (${host}/node_modules/.vite/deps/retrograd_nn.js?v=1f2e:20:15)`,
      `at ${host}/src/main.ts?t=17:7:30`,
    ],
    `at ${host}/src/main.ts?t=17:7:30`,
  ],
  'webpack, which names modules by a URL of its own': [
    'at eval (webpack-internal:///./node_modules/retrograd/build/lib/core.js:630:15)',
    [
      'at siteNow (webpack-internal:///./node_modules/retrograd/build/lib/core.js:640:15)',
      'at Module.relu (webpack-internal:///./node_modules/retrograd/build/lib/shared.js:64:15)',
      'at eval (webpack-internal:///./src/main.js:7:30)',
    ],
    'at eval (webpack-internal:///./src/main.js:7:30)',
  ],
  'Firefox, a script for itself beside the page': [
    `@${host}/retrograd.iife.js:630:15`,
    [`siteNow@${host}/retrograd.iife.js:640:15`, `forward@${host}/retrograd.iife.js:20:15`, `@${host}/main.js:7:30`],
    `@${host}/main.js:7:30`,
  ],
  'Safari, with a native function between': [
    `module code@${host}/lib/build/lib/core.js:630:15`,
    [`siteNow@${host}/lib/build/lib/core.js:640:15`, 'map@[native code]', `mine@${host}/main.js:7:30`],
    `mine@${host}/main.js:7:30`,
  ],
  'one file for all, which says nothing': [
    'at Object.<anonymous> (/srv/bundle.cjs:630:15)',
    [
      'at siteNow (/srv/bundle.cjs:640:15)',
      'at mine (/srv/bundle.cjs:9000:30)',
      'at Module._compile (node:internal/modules/cjs/loader:1364:14)',
    ],
    '',
  ],
  'an engine without stacks': ['', [], ''],
};

describe('the place of an op', () => {
  it.each(Object.entries(cases))('%s', (_, [own, frames, place]) => {
    const home = homeOf(own.startsWith('at') ? `Error\n    ${own}` : own);
    const stack = own.startsWith('at') ? ['Error', ...frames.map((frame) => `    ${frame}`)] : frames;
    expect(placeIn(stack.join('\n'), home)).toBe(place && ` (${place})`);
  });
});

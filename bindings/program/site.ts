// Where in the user's program an op was called.
import { moduleNow } from '../execute.ts';

/** The file of a line of a stack, `at f (URL:1:2)`, `at URL:1:2` or `f@URL:1:2`; '' where it names none. */
const fileOf = (line: string): string => /^\s*(?:at (?:.*? \()?|.*?@)(.+?)(?::\d+){1,2}\)?$/.exec(line)?.[1] ?? '';

/**
 * Where the library is, as stacks name it: bundlers move files, and not all of them have import.meta.url. The package
 * has several files in one folder, and bundlers put those of packages into one; of a user's own bundle, its file.
 */
export function homeOf(stack: string): string {
  const file = stack.split('\n').map(fileOf).find(Boolean) ?? '';
  const folder = /^(.*\/(?:build\/lib|bindings)\/)/.exec(file) ?? /^(.*\/node_modules\/.*\/)/.exec(file);
  return folder?.[1] ?? file;
}
const HOME = homeOf(new Error().stack ?? '');

/** The first line of a stack that is neither the library's nor the engine's, in brackets; '' where there is none. */
export function placeIn(stack: string, home: string): string {
  // Frames of the engine, such as Array.map, are nobody's place.
  const line = stack.split('\n').find((text) => {
    const file = fileOf(text);
    return file !== '' && !/^(?:node:|native|\[native|<anonymous>)/.test(file) && !(home && file.startsWith(home));
  });
  return line ? ` (${line.trim()})` : '';
}

export const describeSite = (site: Error | null | undefined): string => placeIn(site?.stack ?? '', HOME);

/** Frames of the library above a call of the user's: of an op, and of each module around it. */
const FRAMES = 20;
const FRAMES_OF_MODULE = 10;

/** Where the user's program is. Half a microsecond a frame, so no more of them than lead there. */
export function siteNow(): Error {
  const limit = Error.stackTraceLimit;
  let frames = FRAMES;
  for (let link = moduleNow(); link; link = link.parent) frames += FRAMES_OF_MODULE;
  Reflect.set(Error, 'stackTraceLimit', frames); // where it is frozen it stays
  const site = new Error();
  Reflect.set(Error, 'stackTraceLimit', limit);
  return site;
}

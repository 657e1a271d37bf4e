// Every error the library throws on purpose. Messages read `op: expected …, got …` and end with the cure.

/** Base class: catch this to catch everything the library throws on purpose. */
export class RetrogradError extends Error {
  /** The name of the class, by which stack traces show it. */
  override name = 'RetrogradError';
  /** The call of the user's that it came from, with which the message begins. */
  call?: string;
}

/**
 * Puts `call` in front of a message instead of what stands there: so the outermost call is named, which is the user's.
 * @returns the error
 */
export function named(error: unknown, call: string): unknown {
  if (!(error instanceof RetrogradError) || error.call === call) return error;
  const { message, stack } = error;
  const head = error.call ?? /^[\w.]+(?=: )/.exec(message)?.[0];
  error.message = `${call}: ${head ? message.slice(head.length + 2) : message}`;
  error.call = call;
  // Engines that show the message in the stack took it when the error was made.
  if (stack) error.stack = stack.replace(message, () => error.message);
  return error;
}

/** Shapes, axes or sizes do not fit the op. */
export class ShapeError extends RetrogradError {
  override name = 'ShapeError';
}

/** The op does not take this dtype. */
export class DtypeError extends RetrogradError {
  override name = 'DtypeError';
}

/** An option or argument is outside its range. */
export class ArgumentError extends RetrogradError {
  override name = 'ArgumentError';
}

/** A tensor was used after its memory was given back. */
export class FreedError extends RetrogradError {
  override name = 'FreedError';
}

/** backward() was asked for something the recorded graph cannot give. */
export class GradError extends RetrogradError {
  override name = 'GradError';
}

/** The library was used before `await init()`, or the engine lacks what it needs. */
export class BackendError extends RetrogradError {
  override name = 'BackendError';
}

/** A file or a buffer does not hold what its format demands. */
export class FormatError extends RetrogradError {
  override name = 'FormatError';
}

/** A function cannot be recorded by compile(), or a recording does not fit what it is called with. */
export class RecordingError extends RetrogradError {
  override name = 'RecordingError';
}

/** A thread is gone. */
export class WorkerError extends RetrogradError {
  override name = 'WorkerError';
}

/** The arena cannot grow to hold a block. Every living tensor is as it was. */
export class OutOfMemoryError extends RetrogradError {
  override name = 'OutOfMemoryError';
  /** Bytes asked for. */
  readonly requested: number;
  /** Bytes in use at that moment. */
  readonly used: number;
  /** Bytes the arena may use in all. */
  readonly limit: number;

  /**
   * @param free bytes that are neither in use nor the module's own, maybe in pieces; null: it is the engine that has no
   * room for an array outside of the arena
   * @internal
   */
  constructor(requested: number, used: number, limit: number, free: number | null = limit - used) {
    super(
      free === null
        ? `out of memory: expected room for an array of ${requested} bytes, got none from the engine; take fewer elements at a time`
        : `out of memory: expected room for ${requested} bytes, got ${free} of ${limit} bytes free; ` +
            'run each step in scope(() => …) or a loader loop, dispose() what is not needed, or use a smaller batch',
    );
    this.requested = requested;
    this.used = used;
    this.limit = limit;
  }
}

/** An array of `bytes` outside of the arena, by `make`. @throws OutOfMemoryError where the engine has no room for it */
export function outside<T>(bytes: number, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof RangeError ? new OutOfMemoryError(bytes, 0, 0, null) : error;
  }
}

/** A class that is written as one, which can't be called. */
const isClass = (x: unknown): boolean => /^class\b/.test(String(x));

/** A generator function: what it is called for happens later, outside of the call. */
const isGenerator = (x: unknown): boolean => /^(async\s*)?(function\s*)?\*/.test(String(x));

/**
 * A function that does all when it is called: no class, no generator. Arrow functions are told by their lack of a
 * prototype.
 */
export const isCallable = (x: unknown): boolean =>
  typeof x === 'function' && (x.prototype === undefined || !(isClass(x) || isGenerator(x)));

/** A value as messages show it. */
export function describe(x: unknown): string {
  if (typeof x === 'string') return `'${x.length > 40 ? `${x.slice(0, 40)}…` : x}'`;
  if (typeof x === 'function')
    return isClass(x) ? `the class ${x.name}` : isGenerator(x) ? 'a generator function' : 'a function';
  if (typeof x === 'bigint') return `${x}n`;
  if (typeof x !== 'object' || x === null) return String(x);
  if (Array.isArray(x)) return x.slice(0, SHOWN).some((item) => typeof item === 'object') ? 'a list' : formatShape(x);
  const { name } = x.constructor ?? Object;
  return name === 'Object' ? 'an object' : `a ${name}`;
}

/**
 * Where everything is synchronous, refuses what an async function returned. What that throws later cannot end the
 * process then: it is told on the console, and is the `cause` of the error.
 * @throws Kind
 */
export function expectSynchronous(
  op: string,
  result: unknown,
  Kind: new (message: string) => Error = ArgumentError,
): void {
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') return;
  const error = new Kind(`${op}: expected a synchronous function, got one that returns a promise; await outside of it`);
  (result as PromiseLike<unknown>).then(undefined, (reason: unknown) => {
    error.cause = reason;
    console.error(`${op}: the async function that was refused has failed:`, reason);
  });
  throw error;
}

/** Sizes that messages show of a longer list. */
/** What `x` is, in the language's word. */
export const typeName = (x: unknown): string => (x === null ? 'null' : typeof x);

const SHOWN = 16;

/** `[2, 3]`, as shapes are printed in messages. */
export function formatShape(shape: readonly unknown[]): string {
  const sizes = shape.slice(0, SHOWN).map(describe);
  if (shape.length > SHOWN) sizes.push(`… ${shape.length} in all`);
  return `[${sizes.join(', ')}]`;
}

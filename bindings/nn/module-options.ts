// What methods of modules take by name.
/** Options of {@link nn.Module.train}. */
export interface TrainOptions {
  /** Whether it is training. @defaultValue true */
  mode?: boolean;
}

/** Options of {@link nn.Module.parameters} and {@link nn.Module.buffers}. */
export interface RecurseOptions {
  /** Whether those of modules below count. @defaultValue true */
  recurse?: boolean;
}

/** Options of {@link nn.Module.namedModules}. */
export interface NameOptions {
  /** What stands in front of all names, with a dot between. @defaultValue '' */
  prefix?: string;
  /** Whether what is in several places counts in the first only. @defaultValue true */
  removeDuplicate?: boolean;
}

/** Options of {@link nn.Module.namedParameters} and {@link nn.Module.namedBuffers}. */
export interface NamedOptions extends RecurseOptions, NameOptions {}

/** Options of {@link nn.Module.loadStateDict}. */
export interface LoadOptions {
  /**
   * Whether the keys have to be those of the module; otherwise missing and unexpected ones are skipped.
   * @defaultValue true
   */
  strict?: boolean;
}

/** Options of the hooks. */
export interface HookOptions {
  /** Whether it is called before those that are there. @defaultValue false */
  prepend?: boolean;
}

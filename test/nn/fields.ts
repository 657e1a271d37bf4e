// A module made of what a test puts into its fields.
import { nn } from '../../bindings/index.ts';

/** A module of the given fields, which computes nothing. */
export class Fields extends nn.Module {
  [field: string]: unknown;
  constructor(fields: object = {}) {
    super();
    Object.assign(this, fields);
  }
  forward(): void {}
}

/** The keys of its state. */
export const keys = (module: nn.Module): string[] => Object.keys(module.stateDict());

// States of optimizers in PyTorch's form; loadStateDict() takes that as well as ours.

import type { SavedTensor } from '../nn/state.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { AdamW } from './algorithms.ts';
import { kinds } from './lr-scheduler/base.ts';
import type { Optimizer } from './optimizer.ts';

/** What PyTorch's `optimizer.state_dict()` gives. */
export interface PytorchState {
  /** For each parameter that has been updated, by its number across the groups, its tensors. */
  state: Record<string, Record<string, Tensor | SavedTensor>>;
  /** The options of each group by PyTorch's names, and the numbers of its parameters. */
  param_groups: Record<string, unknown>[];
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * The state of an optimizer as PyTorch's `state_dict()` has it: names and words in snake_case, and no steps for SGD and
 * Muon, which count none there. The tensors are the living ones, not copies.
 */
export const pytorchStateDict = callable(
  'pytorchStateDict(optimizer: Optimizer)',
  (optimizer: Optimizer<object>): PytorchState => {
    const { state, paramGroups } = optimizer.stateDict();
    const groups = paramGroups.map((group) => ({
      ...(optimizer instanceof AdamW ? { decoupled_weight_decay: true } : {}),
      ...Object.fromEntries(
        Object.entries(group).map(([name, x]) => [snake(name), typeof x === 'string' ? snake(x) : x]),
      ),
    }));
    const counts = !groups.some((group) => 'dampening' in group || 'ns_steps' in group);
    const own = Object.entries(state).map(([number, { step, ...entry }]): [string, typeof entry] => [
      number,
      counts && step ? { step, ...entry } : entry,
    ]);
    return {
      state: Object.fromEntries(own.filter(([, entry]) => Object.keys(entry).length > 0)),
      param_groups: groups,
    };
  },
  kinds,
);

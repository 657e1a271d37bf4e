// ZeRO, stage 1: each rank keeps the state of a part of the parameters, steps those, and gives them to the others.
import { ops, withoutTape, withTape } from '../../autograd.ts';
import { aside } from '../../execute.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { Optimizer, type OptimizerState } from '../../optim/optimizer.ts';
import { callable } from '../../signature.ts';
import { contiguousStrides, Tensor } from '../../tensor.ts';
import { agree } from '../agree.ts';
import type { Communicator } from '../mpi/communicator.ts';
import { broadcastObject } from '../objects.ts';
import { together } from '../steps.ts';
import { ranks } from '../world.ts';

/** Parameters of at least so many numbers go where they lie; smaller ones together. */
const LARGE = 2 ** 14;

/** The rank that has each parameter: the largest first, to the one that has least. */
function ownersOf(parameters: readonly Tensor[], size: number): Map<Tensor, number> {
  const loads = Array.from({ length: size }, () => 0);
  const owners = new Map<Tensor, number>();
  const order = parameters.map((p, i) => ({ p, i })).sort((a, b) => b.p.size - a.p.size || a.i - b.i);
  for (const { p } of order) {
    const owner = loads.indexOf(Math.min(...loads));
    owners.set(p, owner);
    loads[owner] = (loads[owner] as number) + p.size;
  }
  return owners;
}

/** What each rank gives after a step. */
class Exchange {
  readonly #communicator: Communicator;
  /** Of each rank, its large parameters, and its small ones with their places in a flat tensor. */
  readonly #large: readonly { readonly p: Tensor; readonly owner: number }[];
  readonly #small: readonly {
    readonly owner: number;
    readonly flat: Tensor;
    readonly parts: readonly (readonly [Tensor, Tensor])[];
  }[];

  constructor(communicator: Communicator, owners: ReadonlyMap<Tensor, number>) {
    this.#communicator = communicator;
    const all = [...owners];
    this.#large = all.flatMap(([p, owner]) => (p.size >= LARGE ? [{ p, owner }] : []));
    this.#small = Array.from({ length: communicator.size }, (_, owner) => {
      const own = all.flatMap(([p, of]) => (of === owner && p.size < LARGE ? [p] : []));
      const flat = Tensor.allocate([own.reduce((sum, p) => sum + p.size, 0)], 'f32', 'shardOptimizer').keep();
      let at = 0;
      const parts = own.map((p) => {
        const part = flat.alias(p.sizes, contiguousStrides(p.sizes), at);
        at += p.size;
        return [p, part] as const;
      });
      return { owner, flat, parts };
    });
  }

  run(): void {
    const communicator = this.#communicator;
    const give = (x: Tensor, root: number): void =>
      together(communicator, x, { what: 'broadcast', call: 'step', root });
    for (const { p, owner } of this.#large) give(p.detach(), owner);
    for (const { owner, flat, parts } of this.#small) {
      const own = owner === communicator.rank;
      if (own) for (const [p, part] of parts) ops.copy({ y: part, x: p });
      give(flat, owner);
      if (!own) for (const [p, part] of parts) ops.copy({ y: p, x: part });
    }
  }

  dispose(): void {
    for (const { flat } of this.#small) flat.dispose();
  }
}

const parametersOf = ({ paramGroups }: Optimizer): Tensor[] => paramGroups.flatMap(({ params }) => params);

class Sharding {
  readonly #optimizer: Optimizer;
  readonly #communicator: Communicator;
  readonly #original: Pick<Optimizer, 'step' | 'stateDict' | 'prepareStateDict' | 'dispose'>;
  #owners = new Map<Tensor, number>();
  #exchange: Exchange | null = null;

  constructor(optimizer: Optimizer, communicator: Communicator) {
    this.#optimizer = optimizer;
    this.#communicator = communicator;
    const { step, stateDict, prepareStateDict, dispose } = optimizer;
    const bound = { step, stateDict, prepareStateDict, dispose };
    this.#original = Object.fromEntries(
      Object.entries(bound).map(([name, method]) => [name, (method as () => unknown).bind(optimizer)]),
    ) as never;
    const own = {
      step: (closure?: () => unknown) => this.step(closure),
      stateDict: () => this.stateDict(),
      prepareStateDict: (state: OptimizerState) => this.prepareStateDict(state),
      dispose: () => this.dispose(),
    };
    for (const [name, value] of Object.entries(own))
      Object.defineProperty(optimizer, name, { value, configurable: true, enumerable: false });
  }

  /** Shares the parameters anew where there are others. */
  #share(): Exchange {
    const parameters = parametersOf(this.#optimizer);
    const known = this.#owners;
    if (this.#exchange && parameters.length === known.size && parameters.every((p) => known.has(p)))
      return this.#exchange;
    this.#exchange?.dispose();
    this.#owners = ownersOf(parameters, this.#communicator.size);
    this.#exchange = aside(() => new Exchange(this.#communicator, this.#owners));
    return this.#exchange;
  }

  step(closure?: () => unknown): unknown {
    const loss = closure && withTape(true, closure, 'step');
    const exchange = this.#share();
    const { rank } = this.#communicator;
    // An optimizer leaves parameters alone that have no gradient, and has no state for them.
    const others = [...this.#owners].flatMap(([p, owner]) => (owner === rank ? [] : [[p, p.grad] as const]));
    for (const [p] of others) p.takeGrad(null);
    try {
      this.#original.step();
    } finally {
      for (const [p, g] of others) p.takeGrad(g);
    }
    withoutTape(() => exchange.run());
    return loss;
  }

  /** The state of all parameters, which each rank gives to all. */
  stateDict(): OptimizerState {
    const own = this.#original.stateDict();
    this.#share();
    const state: OptimizerState['state'] = {};
    parametersOf(this.#optimizer).forEach((p, i) => {
      const owner = this.#owners.get(p) as number;
      const tensors = own.state[i] as Record<string, Tensor> | undefined;
      const shapes = Object.entries(tensors ?? {}).map(([name, x]) => [name, x.shape] as const);
      const list = broadcastObject(shapes, owner);
      if (list.length === 0) return;
      state[i] = Object.fromEntries(
        list.map(([name, shape]) => {
          const x = tensors?.[name] ?? Tensor.allocate(shape, 'f32', 'stateDict');
          together(this.#communicator, x, { what: 'broadcast', call: 'stateDict', root: owner });
          return [name, x];
        }),
      );
    });
    return { ...own, state };
  }

  /** Takes over what is of this rank's parameters; what is no state the optimizer itself refuses. */
  prepareStateDict(saved: OptimizerState): () => void {
    this.#share();
    const { state } = saved;
    if (typeof state !== 'object' || state === null) return this.#original.prepareStateDict(saved);
    const { rank } = this.#communicator;
    const parameters = parametersOf(this.#optimizer);
    const own = Object.entries(state).filter(
      ([i]) => (this.#owners.get(parameters[Number(i)] as Tensor) ?? rank) === rank,
    );
    return this.#original.prepareStateDict({ ...saved, state: Object.fromEntries(own) });
  }

  dispose(): void {
    this.#exchange?.dispose();
    this.#original.dispose();
  }
}

/** The optimizers that are shared already. */
const sharded = new WeakSet<object>();

/**
 * Shares the state of an optimizer among the ranks (ZeRO, stage 1; PyTorch's `ZeroRedundancyOptimizer`): each keeps it
 * for a part of the parameters, steps those, and gives them to the others. Steps are the same to the bit; state takes
 * one part of the memory. `stateDict()` gives the state of all, and has to be called by all ranks together; it may be
 * loaded on any number of them. Alone, nothing changes.
 * @returns the optimizer
 * @throws ArgumentError where it has made steps, or is shared already; DistributedError where ranks differ
 * @example
 * ```ts
 * await distributed.init();
 * const model = new distributed.DataParallel(new nn.Linear(4, 1));
 * const optimizer = distributed.shardOptimizer(new optim.Adam(model.parameters()));
 * ```
 */
export const shardOptimizer = callable<<O extends Optimizer<object>>(optimizer: O) => O>(
  'shardOptimizer(optimizer: Optimizer)',
  (optimizer: Optimizer) => {
    const communicator = ranks('shardOptimizer');
    if (sharded.has(optimizer) || Object.keys(optimizer.stateDict().state).length > 0)
      throw new ArgumentError(
        'shardOptimizer: expected an optimizer that has made no step, got one with state; share it when it is made',
      );
    if (!communicator) return optimizer as never;
    sharded.add(optimizer);
    const sizes = parametersOf(optimizer).map(({ size }) => size);
    const kind = optimizer.constructor.name;
    agree(
      communicator,
      'shardOptimizer',
      `${kind} of ${sizes.length} parameters: ${sizes}`,
      'make the same on all ranks',
    );
    new Sharding(optimizer, communicator);
    return optimizer as never;
  },
  { Optimizer: [(x) => x instanceof Optimizer, 'an optimizer'] },
);

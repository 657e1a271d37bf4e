// Learns to balance a pole on a cart by pushing it left or right, with proximal policy optimization (Schulman and
// others, 2017): node build/examples/pole.js, or with --help for what can be chosen. After 82,000 moves, a few seconds,
// it balances for 500 moves, where a game ends, in 16 of 16 games, with each of the seeds from 1 to 6.
import {
  compile,
  data,
  distributions,
  functional as F,
  init,
  manualSeed,
  minimum,
  nn,
  noGrad,
  optim,
  rand,
  scope,
  stack,
  type Tensor,
  tensor,
  zeros,
} from 'retrograd';
import { Trainer } from 'retrograd/train';
import { readOptions } from './options.ts';

const { carts, lr, rounds, seed } = readOptions('Train a policy that balances a pole on a cart.', {
  rounds: [160, 'times it plays, then learns from what it played'],
  carts: [16, 'carts that play at once'],
  lr: [0.001, 'first learning rate, which falls to 0'],
  seed: [1, 'start of every random number; same seed, same bits'],
});

const MOVES = 32; // a round, of each cart
const LONGEST = 500; // moves of a game
const [PASSES, BATCH] = [10, 256]; // through the moves of a round, and how many of them a step
const [DISCOUNT, SMOOTHING] = [0.98, 0.8]; // of rewards, and of what is learned from those further away
const CLIP = 0.2; // how much more or less likely a move may become before it is played anew

/**
 * Carts with poles as of Barto, Sutton and Anderson (1983); numbers and limits are those of Gymnasium's CartPole-v1.
 */
class Carts {
  /** Of each cart: its place in m, its speed in m/s, the pole's angle in rad from upright, and its speed in rad/s. */
  readonly states = new Float32Array(4 * carts);
  /** Lengths of the games that ended, in moves. */
  readonly ended: number[] = [];
  readonly #moves = new Int32Array(carts);

  constructor() {
    for (let i = 0; i < carts; i++) this.#start(i);
  }

  #start(i: number): void {
    this.#moves[i] = 0;
    this.states.set(
      scope(() => rand([4], { low: -0.05, high: 0.05 }).data),
      4 * i,
    );
  }

  /** Pushes each cart to the left (0) or the right (1). @returns of each, 1 where its game ended and a new one began */
  push(actions: ArrayLike<number>): Float32Array {
    return Float32Array.from({ length: carts }, (_, i) => {
      const [x, v, angle, spin] = this.states.slice(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
      const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
      // 1.1 kg in all; a pole of 0.1 kg with its middle at 0.5 m; a push of 10 N; 0.02 s.
      const force = ((actions[i] === 1 ? 10 : -10) + 0.05 * spin * spin * sin) / 1.1;
      const turn = (9.8 * sin - cos * force) / (0.5 * (4 / 3 - (0.1 * cos * cos) / 1.1));
      const pull = force - (0.05 * turn * cos) / 1.1;
      const next = [x + 0.02 * v, v + 0.02 * pull, angle + 0.02 * spin, spin + 0.02 * turn] as const;
      this.states.set(next, 4 * i);
      const moves = (this.#moves[i] as number) + 1;
      this.#moves[i] = moves;
      if (Math.abs(next[0]) <= 2.4 && Math.abs(next[2]) <= Math.PI / 15 && moves < LONGEST) return 0;
      this.ended.push(moves);
      this.#start(i);
      return 1;
    });
  }

  /** f32 [carts, 4]. */
  look(): Tensor {
    return tensor(this.states, { shape: [carts, 4] });
  }
}

await init();
manualSeed(seed);

const network = (outputs: number, gain: number): nn.Sequential => {
  const layers = [new nn.Linear(4, 64), new nn.Linear(64, 64), new nn.Linear(64, outputs)] as const;
  for (const [i, { weight }] of layers.entries()) nn.init.orthogonal_(weight, i < 2 ? Math.SQRT2 : gain);
  return new nn.Sequential(layers[0], new nn.Tanh(), layers[1], new nn.Tanh(), layers[2]);
};
/** Logits of the two moves; and the reward to come: 1 for each move, less and less for later ones. */
class Agent extends nn.Module {
  readonly actor = network(2, 0.01);
  readonly critic = network(1, 1);
}
const agent = new Agent();
const { actor, critic } = agent;

const decide = compile((states: Tensor) =>
  noGrad(() => {
    const policy = new distributions.Categorical({ logits: actor.forward(states) });
    const actions = policy.sample();
    return { actions, logProbs: policy.logProb(actions), values: critic.forward(states).squeeze(1) };
  }),
);

/**
 * How much better each move was than expected [moves, carts], of values [moves + 1, carts] and which games it ended.
 */
const judge = compile((values: Tensor, over: Tensor) => {
  let better = zeros([carts]);
  const moves = Array.from({ length: MOVES }, (_, i) => {
    const at = MOVES - 1 - i;
    const goesOn = over.select(0, at).neg().add(1).mul(DISCOUNT);
    const surprise = goesOn
      .mul(values.select(0, at + 1))
      .add(1)
      .sub(values.select(0, at));
    better = goesOn.mul(better).mul(SMOOTHING).add(surprise);
    return better;
  });
  return stack(moves.reverse());
});

/** Moves that were played: what was seen, done, how likely that was, how much better than expected, the reward. */
type Played = [states: Tensor, actions: Tensor, logProbs: Tensor, better: Tensor, returns: Tensor];

const world = new Carts();

/** What a round learns from: it plays, then gives its moves in batches. */
const play: Iterable<Played> = {
  *[Symbol.iterator]() {
    const played = scope((): Played => {
      const moves = Array.from({ length: MOVES }, () => {
        const states = world.look();
        const decided = decide(states);
        return { states, ...decided, over: tensor(world.push(decided.actions.data)) };
      });
      const values = moves.map((move) => move.values);
      const better = judge(stack([...values, decide(world.look()).values]), stack(moves.map(({ over }) => over)));
      const flat = (name: 'states' | 'actions' | 'logProbs'): Tensor =>
        stack(moves.map((move) => move[name])).flatten(0, 1);
      const returns = better.add(stack(values)).flatten();
      return [flat('states'), flat('actions'), flat('logProbs'), better.flatten(), returns];
    });
    const loader = new data.DataLoader<Played>(new data.TensorDataset(...played), { batchSize: BATCH, shuffle: true });
    for (let pass = 0; pass < PASSES; pass++) yield* loader;
    for (const x of played) x.dispose();
  },
};

class Ppo extends Trainer<Agent, Played> {
  override trainingStep([states, actions, logProbs, better, returns]: Played): Tensor {
    const policy = new distributions.Categorical({ logits: actor.forward(states) });
    const ratio = policy.logProb(actions).sub(logProbs).exp();
    const advantage = better.sub(better.mean()).div(better.std().add(1e-8));
    const gain = minimum(ratio.mul(advantage), ratio.clamp(1 - CLIP, 1 + CLIP).mul(advantage)).mean();
    return F.mseLoss(critic.forward(states).squeeze(1), returns).mul(0.5).sub(gain);
  }
}

const optimizer = new optim.Adam(agent.parameters(), { lr });
const trainer = new Ppo(agent, {
  optimizer,
  schedule: new optim.lrScheduler.LambdaLR(optimizer, (round) => 1 - round / rounds),
  clip: { norm: 0.5 },
  callbacks: [
    {
      onEpochEnd({ epoch }) {
        if ((epoch + 1) % 10 > 0 && epoch + 1 < rounds) return;
        const games = world.ended.splice(0);
        const mean = games.reduce((sum, moves) => sum + moves, 0) / games.length;
        const balanced = games.length === 0 ? 'no game ended' : `${games.length} games of ${mean.toFixed(1)} moves`;
        console.log(`round ${epoch + 1}/${rounds}  ${balanced}`);
      },
    },
  ],
});
await trainer.fit(play, { epochs: rounds });

// New games, in which it makes the likelier move.
const trial = new Carts();
const best = compile((states: Tensor) => noGrad(() => actor.forward(states).argmax(1)));
for (let move = 0; move < LONGEST; move++) scope(() => trial.push(best(trial.look()).data));
const whole = trial.ended.filter((moves) => moves === LONGEST).length;
console.log(`Balanced ${LONGEST} moves in ${whole} of ${trial.ended.length} games`);

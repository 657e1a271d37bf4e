// What the rules of turns and scopes have to hold for: programs that await inside of loops, run two of them at once, or
// are called in between. Runs in whatever engine it is given the package in.

import { expectSame, sleep, toolsOf } from './scope-tools.js';

/** All scenarios, each with the number of blocks that it may leave for the last net. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a list, of scenarios that are short each
export function scenariosOf(r) {
  const { LEFT, freed, living, loader, make, run, train, use } = toolsOf(r);
  return {
    'a loop that does not await frees all': [
      0,
      () => {
        for (const [x] of loader()) use(x.add(make(1)));
      },
    ],
    'and so it does on break and throw': [
      1,
      () => {
        for (const [x] of loader()) {
          x.add(1);
          break;
        }
        try {
          for (const [x] of loader()) {
            x.add(make(1));
            throw new Error('out');
          }
        } catch {}
        use(make(1));
      },
    ],
    'a loop that awaits a timer': [LEFT, () => run(loader(), () => sleep(1))],
    'a loop that awaits nothing': [LEFT, () => run(loader(), () => null)],
    'a loop that awaits a resolved promise': [LEFT, () => run(loader(), () => Promise.resolve())],
    'a loop that awaits now and then': [LEFT, () => run(loader(), () => (living() % 2 ? sleep(1) : null))],
    'two loops at once': [2 * LEFT, () => Promise.all([run(loader(), () => sleep(1)), run(loader(), () => sleep(2))])],
    'two loops at once, over one loader': [
      2 * LEFT,
      () => {
        const one = loader();
        return Promise.all([run(one, () => sleep(1)), run(one, () => null)]);
      },
    ],
    'eight loops at once': [
      8 * LEFT,
      () => Promise.all(Array.from({ length: 8 }, (_, i) => run(loader(), () => (i % 2 ? sleep(i) : null)))),
    ],
    'two loops, one started later': [
      2 * LEFT,
      async () => {
        const first = run(loader(), () => sleep(4));
        await sleep(1);
        await Promise.all([first, run(loader(), () => sleep(3))]);
      },
    ],
    'a handler in between': [
      LEFT + 1,
      async () => {
        let made;
        setTimeout(() => {
          made = make(1);
        }, 3);
        await run(loader(), () => sleep(4));
        use(made);
      },
    ],
    'a handler in between, with a loop': [
      LEFT,
      async () => {
        setTimeout(() => {
          for (const [x] of loader()) use(x.add(make(1)));
        }, 3);
        await run(loader(), () => sleep(4));
      },
    ],
    'a handler in between, with a loop that awaits': [
      2 * LEFT,
      async () => {
        let other;
        setTimeout(() => {
          other = run(loader(), () => null);
        }, 3);
        await run(loader(), () => sleep(4));
        await other;
      },
    ],
    'a microtask that is queued before the loop begins': [
      LEFT + 1,
      async () => {
        let made;
        Promise.resolve().then(() => {
          made = make(1);
        });
        await run(loader(), () => sleep(1));
        use(made);
      },
    ],
    'the caller goes on at once': [
      LEFT + 3,
      async () => {
        const loop = run(loader(), () => sleep(1));
        const made = make(1);
        const more = made.add(1); // and the 1
        await loop;
        use(made, more);
      },
    ],
    'the caller goes on at once, with a loop': [
      LEFT,
      async () => {
        const loop = run(loader(), () => sleep(1));
        for (const [x] of loader()) use(x.add(make(1)));
        await loop;
      },
    ],
    'the caller goes on later': [
      LEFT + 1,
      async () => {
        const loop = run(loader(), () => sleep(4));
        await sleep(1);
        const made = make(1);
        await loop;
        use(made);
      },
    ],
    'a zip of two loaders': [
      0,
      () => {
        const [a, b] = [loader(), loader()].map((one) => one[Symbol.iterator]());
        for (;;) {
          const [x, y] = [a.next(), b.next()];
          if (x.done || y.done) break;
          use(x.value[0], y.value[0], x.value[0].add(y.value[0]), make(1));
        }
        a.return();
        b.return();
      },
    ],
    'a zip of two loaders that awaits': [
      0,
      async () => {
        const [a, b] = [loader(), loader()].map((one) => one[Symbol.iterator]());
        for (;;) {
          const [x, y] = [a.next(), b.next()];
          if (x.done || y.done) break;
          const sum = x.value[0].add(y.value[0]);
          await sleep(1);
          use(x.value[0], y.value[0], sum);
        }
        a.return();
        b.return();
      },
    ],
    'all pairs': [
      0,
      () => {
        for (const [x] of loader()) for (const [y] of loader()) use(x.add(y), x, make(1));
      },
    ],
    'all pairs, with an await in both loops': [
      0,
      async () => {
        for (const [x] of loader()) {
          const outer = x.add(1);
          for (const [y] of loader()) {
            const both = outer.add(y);
            await sleep(1);
            use(x, y, outer, both);
          }
          await null;
          use(x, outer);
        }
      },
    ],
    'a loop inside of a turn that awaits': [
      0,
      async () => {
        for (const [x] of loader()) {
          await sleep(1);
          const before = living();
          for (const [y] of loader()) use(y.add(x), make(1));
          expectSame('blocks of the inner loop', living() - before, 0);
          use(x);
        }
      },
    ],
    'a scope inside of a turn that awaits': [
      0,
      async () => {
        for (const [x] of loader()) {
          await sleep(1);
          const before = living();
          const result = r.scope(() => r.scope(() => x.add(make(1))));
          expectSame('blocks of the scope', living() - before, 1);
          await sleep(1);
          use(result);
        }
      },
    ],
    'a scope that ends while a turn in it awaits': [
      4,
      async () => {
        let loop;
        const rest = [];
        r.scope(() => {
          loop = (async () => {
            for (const [x] of loader()) {
              const constant = make(1);
              const result = x.add(constant);
              rest.push(result.sum());
              await sleep(1);
              use(x, constant, result);
            }
          })();
          make(2); // whose it is nobody can tell
        });
        use(...rest);
        await loop;
        expectSame('freed at the end', rest.map(freed), [true, true, true]);
      },
    ],
    'an iterator that is dropped': [
      4,
      async () => {
        const iterator = loader()[Symbol.iterator]();
        const [first] = iterator.next().value;
        const second = first.add(1);
        await sleep(1);
        const later = make(1);
        use(first, second);
        iterator.next();
        use(later);
        loader()[Symbol.iterator]().next();
        use(make(2));
      },
    ],
    'for await': [
      4,
      async () => {
        const constant = make(1);
        for await (const [x] of loader()) {
          const result = x.add(1);
          await sleep(1);
          use(result, x);
          make(1);
          use(result.add(constant));
        }
        use(constant);
      },
    ],
    'keep() in a turn that awaits': [
      3,
      async () => {
        const kept = [];
        for (const [x] of loader()) {
          await sleep(1);
          kept.push(x.add(1).keep());
        }
        expectSame(
          'kept',
          kept.map((x) => x.item()),
          [1, 2, 3],
        );
      },
    ],
    'break and throw in turns that await': [
      0,
      async () => {
        let last;
        for (const [x] of loader()) {
          last = x.add(1);
          await sleep(1);
          break;
        }
        expectSame('freed by break', freed(last), true);
        try {
          for (const [x] of loader()) {
            await sleep(1);
            last = x.add(1);
            throw new Error('out');
          }
        } catch {}
        expectSame('freed by throw', freed(last), true);
      },
    ],
    'a compiled function in a turn that awaits': [
      0,
      async () => {
        const twice = r.compile((x) => x.mul(2));
        let last;
        for (const [x] of loader()) {
          if (last) expectSame('freed', freed(last), true);
          await sleep(1);
          const y = twice(x);
          await sleep(1);
          expectSame('twice', y.item(), 2 * x.item());
          last = y;
        }
        twice.dispose();
      },
    ],
    'training with awaits, two at once, gives the weights of training without': [
      100,
      async () => {
        const alone = await train();
        const awaiting = await Promise.all([train(() => sleep(1)), train(() => null), train(() => sleep(2))]);
        for (const weights of awaiting) expectSame('weights', weights, alone);
      },
    ],
    'scope() and noGrad() refuse what is asynchronous, and handle its promise': [
      0,
      async () => {
        for (const refuse of [r.scope, r.noGrad]) {
          let message = '';
          try {
            refuse(async () => {
              throw new Error('nobody handles it');
            });
          } catch (error) {
            message = error.message;
          }
          expectSame('message', /expected a synchronous function/.test(message), true);
        }
        await sleep(5);
      },
    ],
  };
}

/** Runs all. @returns for each what went wrong, or null */
export async function runScenarios(r) {
  const problems = {};
  for (const [name, [left, scenario]] of Object.entries(scenariosOf(r))) {
    const before = r.backend().memory.blocks;
    problems[name] = null;
    try {
      await scenario();
      await sleep(0);
      const more = r.backend().memory.blocks - before;
      if (more > left) throw new Error(`expected at most ${left} blocks left, got ${more}`);
    } catch (error) {
      problems[name] = String(error);
    }
  }
  return problems;
}

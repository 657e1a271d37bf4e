// Our side of the rows of families/rare.ts.
import type { Tensor } from 'retrograd';
import { type Library, RARE, type RareProblem, type Run } from '../problems.ts';
import { freeing } from './freeing.ts';

/** @returns the run of an optimizer from x on: the answer is where the first step leads */
function stepping(library: Library, { op, rows, cols, ...problem }: RareProblem): Run {
  const { noGrad, optim, scope, tensor } = library;
  const shape = [rows, cols];
  const start = tensor(problem.x, { shape });
  const y = tensor(problem.y as Float32Array, { shape });
  const p = start.clone().requiresGrad_();
  const scale = scope(() => start.abs().add(1).keep());
  if (op === 'Muon') {
    p.grad = y;
    const optimizer = new optim.Muon([p]);
    const run = (): void => optimizer.step() as undefined;
    return {
      answer: () => {
        run();
        return p.data as Float32Array;
      },
      run,
      dispose: () => {
        optimizer.dispose();
        for (const x of [p, start, scale]) x.dispose();
      },
    };
  }
  const run = (): void =>
    scope(() => {
      noGrad(() => p.copy_(start));
      const optimizer = new optim.LBFGS([p]);
      optimizer.step(() => {
        optimizer.zeroGrad();
        const loss = p.sub(y).square().mul(scale).sum();
        loss.backward();
        return loss;
      });
      optimizer.dispose();
    });
  return {
    answer: () => {
      run();
      return p.data as Float32Array;
    },
    run,
    dispose: () => {
      for (const x of [p, y, start, scale]) x.dispose();
    },
  };
}

export function rare(library: Library, problem: RareProblem): Run {
  const { functional: F, tensor } = library;
  const { op, rows, cols } = problem;
  if (op === 'Muon' || op === 'LBFGS') return stepping(library, problem);
  const lead = op === 'einsum' ? [RARE.batch, rows / RARE.batch] : op === 'ctc' ? [rows, RARE.texts] : [rows];
  const x = tensor(problem.x, { shape: [...lead, cols] });
  const y = problem.y ? tensor(problem.y, { shape: op === 'indexPut' ? [rows / 2, cols] : [...lead, cols] }) : null;
  const target = problem.target ? tensor(problem.target) : null;
  const inputs = [x, y, target];
  const run = (solve: () => Tensor): Run => freeing(library, inputs, solve);
  switch (op) {
    case 'sin':
    case 'atan':
    case 'erf':
    case 'erfinv':
      return run(() => library[op](x));
    case 'einsum':
      return run(() => library.einsum('bij,bkj->bik', x, y as Tensor));
    case 'cdist':
      return run(() => library.cdist(x, y as Tensor));
    case 'indexPut':
      return run(() => library.indexPut(x, [target as Tensor], y as Tensor, true));
    case 'multinomial':
      return run(() => library.multinomial(x, RARE.draws, true).to('f32'));
    case 'ctc': {
      const texts = (target as Tensor).reshape(RARE.texts, rows / 4);
      const scores = F.logSoftmax(x, 2);
      inputs.push(texts, scores);
      const lengths = (length: number): number[] => Array<number>(RARE.texts).fill(length);
      return run(() => F.ctcLoss(scores, texts, lengths(rows), lengths(rows / 4)));
    }
  }
}

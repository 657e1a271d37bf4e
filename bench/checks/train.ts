// Training, by the losses of its first steps.
import { lossesOf } from '../../reference/network.ts';
import { adam, type Rule, sgd } from '../../reference/optimizers.ts';
import { ADAM, type Check, type TrainProblem } from '../problems.ts';
import { checkElements } from './elements.ts';

export function checkTrain(problem: TrainProblem): Check {
  const { name, lr } = problem.optimizer;
  const rule = (n: number): Rule => (name === 'SGD' ? sgd({ lr }) : adam({ ...ADAM, lr }, n));
  // Only where an answer is there: tables that time steps take the problems of all networks and check none.
  let losses: ReturnType<typeof lossesOf> | undefined;
  return (answer) => {
    losses ??= lossesOf({ ...problem, rule }, problem.checked);
    const { length } = losses;
    return checkElements(length, (i) => losses?.[i] as number, { relative: 2e-4, absolute: 1e-6 })(answer);
  };
}

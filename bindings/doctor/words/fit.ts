// What is said of faults that show in how good a model is.
import { n, percent, type Words } from '../finding.ts';

export const fit = {
  /** @param held the skill of a network on validation data where that proves it; null: it does not */
  shuffled: (within: number, held: number | null): Words => [
    held === null
      ? 'Inputs say nothing of their targets: the model and a small network, each on rows that it has not seen, are no better than the most frequent answer.'
      : `Inputs of the training data say nothing of their targets (a small network has ${percent(Math.max(0, within))} of the skill there is), and those of the validation data do (${percent(held)}).`,
    'Inputs and targets that were shuffled apart can be learned by heart only.',
    'const order = randperm(x.shape[0]);\nx = x.indexSelect(0, order);\ny = y.indexSelect(0, order); // by the same order',
  ],

  underfits: (steps: number, own: number, could: number): Words => [
    `After ${steps} steps the model has ${percent(Math.max(0, own))} of the skill there is on what it learns from; a network of 48 units gets ${percent(could)} on rows that it has not seen.`,
    'The model cannot say what the data says: too few units, too strong a decay or dropout, or a layer that lets nothing through.',
    'const model = new nn.Sequential(new nn.Linear(16, 64), new nn.ReLU(), new nn.Linear(64, 4)); // more units, and a layer more\nfor (const group of optimizer.paramGroups) group.weightDecay = 0;',
  ],

  /** @param skills on what it learns from, and on validation data @param losses there, the least and the last */
  overfits: (skills: readonly [number, number], losses: readonly [number, number]): Words => [
    `On what it learns from the model has ${percent(skills[0])} of the skill there is, on validation data ${percent(Math.max(0, skills[1]))}; its loss there was ${n(losses[0])} at its least and is ${n(losses[1])}.`,
    'It learns rows by heart, and not what they have in common.',
    'new nn.Dropout(0.3); // behind hidden layers\nconst optimizer = new optim.AdamW(model.parameters(), { lr, weightDecay: 0.05 }); // fewer units, more data, or to stop where the validation loss is least',
  ],

  leaks: (count: number, share: number, held: number, known: number): Words => [
    `${count} of ${held} validation inputs (${percent(share)}) are among ${known} of the training inputs, or all but the same.`,
    'What was learned by heart counts as understood: validation figures are too good.',
    'const order = randperm(rows);\nconst [train, validation] = [order.narrow(0, 0, cut), order.narrow(0, cut, rows - cut)]; // split first, then copy, augment or draw',
  ],
};

// Scores the doctor, or checks the programs that it is scored on:
// node build/bench/doctor/main.js [--set blind] [--filter TEXT] [--seeds 1,2,3] [--every 10] [--check] [--verbose]
import { parseArgs } from 'node:util';
import { init } from 'retrograd';
import { checkPrograms } from './measure.ts';
import { SETS } from './sets.ts';
import { scoreSets } from './table.ts';

const { values } = parseArgs({
  options: {
    set: { type: 'string' },
    filter: { type: 'string', default: '' },
    seeds: { type: 'string', default: '1' },
    every: { type: 'string', default: '10' },
    check: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const seeds = values.seeds.split(',').map(Number);
const chosen = SETS.filter(({ name }) => values.set === undefined || name === values.set).map(({ name, programs }) => ({
  name,
  programs: programs.filter((program) => `${program.fault ?? 'healthy'} ${program.name}`.includes(values.filter)),
}));
await init({ threads: 1 });
if (values.check) {
  let failures = 0;
  for (const { programs } of chosen) failures += await checkPrograms(programs, seeds, console.log);
  console.log(failures === 0 ? 'all show what they should' : `${failures} do not show what they should`);
  process.exitCode = failures === 0 ? 0 : 1;
} else {
  const say = values.verbose ? console.log : undefined;
  console.log(await scoreSets(chosen, { seeds, every: Number(values.every), ...(say && { say }) }));
}

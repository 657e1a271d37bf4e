// Every op, ready to call: also of the families that programs have only where something calls them.
import { familyOps } from '../../bindings/autograd.ts';
import { table } from '../../bindings/ops/table.ts';

export const ops = familyOps(table);

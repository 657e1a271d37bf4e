// The kernels of a module in a table, each at its number, in place of exports by names: 1 kB less.
import type { Transform } from 'assemblyscript/asc';
import binaryen from 'assemblyscript/binaryen';
import { KERNELS } from '../bindings/kernels/eager.ts';

/** By which name asc exports a kernel. */
export const exportOf = (number: number): string => `k${number}`;

/**
 * A transform for asc, which has tables for functions that are values only. The exports stay for now: to Binaryen's
 * passes what a table alone has is never called.
 */
export const kernelTable = {
  afterCompile(module: binaryen.Module): void {
    const kernels: string[] = [];
    for (let found = module.getExport(exportOf(0)); found; found = module.getExport(exportOf(kernels.length)))
      kernels.push(binaryen.getExportInfo(found).value);
    // A module may have one table; that of asc is empty.
    module.removeElementSegment(binaryen.getElementSegmentInfo(module.getElementSegmentByIndex(0)).name);
    // Calls by number in the kernels' own code know it by its name.
    const { name } = binaryen.getTableInfo(module.getTableByIndex(0));
    module.removeTable(name);
    module.addTable(name, kernels.length, kernels.length);
    module.addActiveElementSegment(name, KERNELS, kernels, module.i32.const(0));
    module.addTableExport(name, KERNELS);
  },
} as Transform;

/** The text of a module without the exports that its table has. */
export const withoutExports = (text: string): string => text.replace(/\n \(export "k\d+" \(func [^)]*\)\)/g, '');

// Paths of modules, such as `0.attention.query`, for graphs and profiles.
import type { ModuleLink } from '../execute.ts';

interface Named {
  namedModules(): Iterable<readonly [string, object]>;
}
const isNamed = (x: object): x is Named => 'namedModules' in x;

/**
 * The path of the module from the outermost one whose forward was running; its class where it is not below that one.
 */
export function pathOf(link: ModuleLink | null): string {
  if (!link) return '';
  let root = link;
  while (root.parent) root = root.parent;
  const { module } = link;
  const name = module.constructor.name;
  if (link === root) return name;
  if (isNamed(root.module)) for (const [path, below] of root.module.namedModules()) if (below === module) return path;
  return name;
}

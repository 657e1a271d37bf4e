// One-token mutants of a source file: an operator, a constant or a function put in the place of its neighbour.
import { parseAst } from 'rolldown/parseAst';

/** The text of `file` from `start` to `end` becomes `text`. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** The whole expression that the token stands in. */
  readonly whole: { readonly start: number; readonly end: number };
  /** Its line, with the mutation in it: 'if (a «< → <=» b) {'. */
  readonly code: string;
}

const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '==': ['!='],
  '!=': ['=='],
  '&&': ['||'],
  '||': ['&&'],
  '??': ['&&'],
  '&': ['|'],
  '|': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
  '++': ['--'],
  '--': ['++'],
  '+=': ['-='],
  '-=': ['+='],
  '*=': ['/='],
  '/=': ['*='],
};
/** Functions and methods by their last name. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ min: 'max', max: 'min', add: 'sub', sub: 'add', mul: 'add', div: 'mul', and: 'or', or: 'and' },
  ...{ lt: 'le', le: 'lt', gt: 'ge', ge: 'gt', eq: 'ne', ne: 'eq', floor: 'ceil', ceil: 'floor' },
  ...{ every: 'some', some: 'every', pmin: 'pmax', pmax: 'pmin', shl: 'shr_s', load32_zero: 'load32_splat' },
};
/** Whose methods those are: numbers, vectors and lists, not tensors. */
const OWNERS = /^(Math|NativeMathf?|[fi]\d+(x\d+)?|v128|u\d+)$/;

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}
const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string';

/** Nodes whose children are expressions, though their names begin as those of types do. */
const TRANSPARENT = new Set(['TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression', 'TSTypeAssertion']);

/** AssemblyScript decorates functions and variables, which no parser of TypeScript knows: blanks, where they stand. */
const withoutDecorators = (text: string): string =>
  text.replace(/^(?:@\w+(?:\([^)]*\))?\s+)+(?=export|declare|function|const|let)/gm, (found) =>
    found.replaceAll(/\S/g, ' '),
  );

/** A place in a text, and what comes there. */
type Edit = readonly [start: number, end: number, text: string];

/** The operator between two operands. */
function operators(node: Node, text: string): Edit[] {
  const operator = String(node.operator);
  const [left, right] = [node.left as Node, node.right as Node];
  const start = text.indexOf(operator, left.end);
  if (start < 0 || start >= right.start) return []; // behind a comment or a parenthesis that has it too
  return (OPERATORS[operator] ?? []).map((other) => [start, start + operator.length, other]);
}

/** A number as its neighbours. Hex and exponents are mostly bits and tolerances, and stay. */
function literals({ value, start, end }: Node, text: string): Edit[] {
  if (typeof value === 'boolean') return [[start, end, String(!value)]];
  const written = text.slice(start, end);
  if (typeof value !== 'number' || !/^[\d.]+$/.test(written)) return [];
  const digits = written.split('.')[1]?.length ?? 0;
  return (value === 0 ? [1] : [value + 1, value - 1]).map((other) => [start, end, other.toFixed(digits)]);
}

function calls({ callee: called }: Node, text: string): Edit[] {
  const callee = called as Node;
  const name = (callee.type === 'MemberExpression' ? callee.property : callee) as Node;
  const other = NAMES[String(name.name)];
  if (!other) return [];
  const owner = isNode(callee.object) ? text.slice(callee.object.start, callee.object.end) : null;
  // A function of the file's own must be one that it has.
  const known =
    owner === null
      ? new RegExp(`\\b${other}\\b`).test(text)
      : OWNERS.test(owner) || /^(every|some)$/.test(String(name.name));
  return known ? [[name.start, name.end, other]] : [];
}

/** What can be changed in a node of a type. */
const EDITS: Readonly<Record<string, (node: Node, text: string) => Edit[]>> = {
  BinaryExpression: operators,
  LogicalExpression: operators,
  AssignmentExpression: operators,
  Literal: literals,
  CallExpression: calls,
  UnaryExpression: ({ operator, start }) => (operator === '!' || operator === '-' ? [[start, start + 1, '']] : []),
  UpdateExpression: ({ operator, prefix, start, end }) =>
    (OPERATORS[String(operator)] ?? []).map((other) => (prefix ? [start, start + 2, other] : [end - 2, end, other])),
};

/** Types and imports have no values in them. */
const hasValues = ({ type }: Node): boolean =>
  (!type.startsWith('TS') || TRANSPARENT.has(type)) && !/^(ImportDeclaration|ExportAllDeclaration)$/.test(type);

/** The nodes below a node; what stands as a key is none. */
const childrenOf = (node: Node): Node[] =>
  Object.entries(node)
    .filter(([key]) => key !== 'key' || node.computed)
    .flatMap(([, value]) => (Array.isArray(value) ? value : [value]))
    .filter(isNode);

/** All mutants of a file. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const found: Mutant[] = [];
  const visit = (node: Node): void => {
    if (!hasValues(node)) return;
    for (const [start, end, changed] of EDITS[node.type]?.(node, text) ?? []) {
      const before = text.slice(0, start).split('\n');
      const [rest = ''] = text.slice(end).split('\n');
      const code = `${before.at(-1)?.trimStart()}«${text.slice(start, end)} → ${changed}»${rest}`;
      const whole = { start: node.start, end: node.end };
      found.push({ file, line: before.length, start, end, text: changed, whole, code });
    }
    childrenOf(node).forEach(visit);
  };
  visit(parseAst(withoutDecorators(text), { lang: 'ts' }) as unknown as Node);
  return found;
}

/** The text with a mutant in it. */
export const mutated = (text: string, { start, end, text: changed }: Mutant): string =>
  text.slice(0, start) + changed + text.slice(end);

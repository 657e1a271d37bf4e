// Mutants are of values alone, one token each, and a seed picks the same ones again.
import { describe, expect, it } from 'vitest';
import { mutantsOf, mutated } from '../../tools/mutants/candidates.ts';
import { numbers, sample } from '../../tools/mutants/sample.ts';

const lines = (text: string): string[] => mutantsOf('a.ts', text).map((mutant) => mutated(text, mutant));

describe('mutants', () => {
  it.each([
    ['an operator', 'f(a + b);', ['f(a - b);']],
    ['a comparison', 'f(a < b);', ['f(a <= b);', 'f(a >= b);']],
    ['logic', 'f(a && b);', ['f(a || b);']],
    ['an assignment', 'a += b;', ['a -= b;']],
    ['a step', 'a++;', ['a--;']],
    ['a sign', 'f(-a, !b);', ['f(a, !b);', 'f(-a, b);']],
    [
      'a constant',
      'f(8, 0, 0.5);',
      ['f(9, 0, 0.5);', 'f(7, 0, 0.5);', 'f(8, 1, 0.5);', 'f(8, 0, 1.5);', 'f(8, 0, -0.5);'],
    ],
    ['a truth', 'f(true);', ['f(false);']],
    ['a function of numbers', 'Math.min(a, b);', ['Math.max(a, b);']],
    ['an instruction', 'f32x4.add(a, b);', ['f32x4.sub(a, b);']],
    [
      'a function that AssemblyScript decorates',
      '@inline\nfunction f(): i32 { return a * b; }',
      ['@inline\nfunction f(): i32 { return a / b; }'],
    ],
  ])('are made of %s', (_title, text, expected) => {
    expect(lines(text)).toEqual(expected);
  });

  it.each([
    ['types', 'let a: Map<string, 1 | 2>; type B = -1; interface C { d: true }'],
    ['type arguments', 'f<1, true>(a);'],
    ['imports', "import { a } from 'b'; export * from 'c';"],
    ['keys', 'f({ 1: a, b });'],
    ['methods of tensors', 'x.add(y);'],
    ['text, comments and bits', "f('1 + 2', 0xff); // 1 + 2"],
  ])('are not made of %s', (_title, text) => {
    expect(lines(text)).toEqual([]);
  });

  it('are the same for the same seed, on different tokens, none inside another', () => {
    const pick = (seed: number) => sample('tools', 60, numbers(seed), 'mutants/');
    const picked = pick(1);
    expect(picked).toHaveLength(60);
    expect(pick(1)).toEqual(picked);
    expect(pick(2)).not.toEqual(picked);
    for (const [i, a] of picked.entries())
      for (const b of picked.slice(0, i))
        expect(a.file !== b.file || a.whole.end <= b.whole.start || b.whole.end <= a.whole.start).toBe(true);
  });
});

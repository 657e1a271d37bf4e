// Short forms of the ops that backward rules are written with.
import type { Ops, Tensor } from './core.ts';

export const add = (o: Ops, a: Tensor, b: Tensor): Tensor => o.add({ a, b });
export const sub = (o: Ops, a: Tensor, b: Tensor): Tensor => o.sub({ a, b });
export const mul = (o: Ops, a: Tensor, b: Tensor): Tensor => o.mul({ a, b });
export const div = (o: Ops, a: Tensor, b: Tensor): Tensor => o.div({ a, b });
export const where = (o: Ops, condition: Tensor, a: Tensor, b: Tensor): Tensor => o.where({ condition, a, b });
/** alpha x + beta. */
export const scale = (o: Ops, x: Tensor, alpha: number, beta = 0): Tensor => o.scale({ x }, { alpha, beta });
/** A number as a tensor. */
export const constant = (o: Ops, value: number): Tensor => o.full({}, { shape: [], value });
/** The sum over dims `dim … end - 1`, which go. */
export const sum = (o: Ops, x: Tensor, dim: number, end: number): Tensor => o.sum({ x }, { dim, end, keepdim: false });

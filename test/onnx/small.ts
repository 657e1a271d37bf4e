// Small tests of ONNX's own, one of each operator that needs few bytes; cases.py writes them.
import { readFileSync } from 'node:fs';

export interface Row {
  readonly name: string;
  readonly model: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export const rows: readonly Row[] = JSON.parse(readFileSync(new URL('small.json', import.meta.url), 'utf8'));

/** Which of them ask for what there is not. */
export const MISSING = [/^test_ai_onnx/];

# Checks the models in a folder as the `onnx` package does, types and shapes of all values included.
import sys
from pathlib import Path

import onnx

models = sorted(Path(sys.argv[1]).glob("*.onnx"))
failed = 0
for path in models:
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
    except Exception as error:  # all faults at once
        failed += 1
        print(f"{path.name}: {error}"[:2000])
print(f"{len(models) - failed} of {len(models)} models are valid")
sys.stdout.flush()
sys.exit(failed > 0)

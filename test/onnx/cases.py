"""Writes the backend tests of the `onnx` package as folders, which test/onnx/folders.test.ts runs.

    python3 test/onnx/cases.py FOLDER
    ONNX_TESTS=FOLDER/node npx vitest run test/onnx/folders

FOLDER/node has those that the package makes, with its newest opset; the others are copies of its own.
"""
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

folder = Path(sys.argv[1])
DATA = Path(onnx.__file__).parent / 'backend' / 'test' / 'data'


def write(case, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    onnx.save(case.model, into / 'model.onnx')
    graph = case.model.graph
    for i, (inputs, outputs) in enumerate(case.data_sets):
        part = into / f'test_data_set_{i}'
        part.mkdir(exist_ok=True)
        for kind, values, infos in (('input', inputs, graph.input), ('output', outputs, graph.output)):
            for j, (value, info) in enumerate(zip(values, infos)):
                if isinstance(value, onnx.TensorProto):
                    proto = value
                elif hasattr(value, 'dtype'):
                    proto = numpy_helper.from_array(value, info.name)
                else:
                    continue
                (part / f'{kind}_{j}.pb').write_bytes(proto.SerializeToString())


count = 0
for case in collect_testcases(None):
    try:
        write(case, folder / 'node' / case.name)
        count += 1
    except (TypeError, ValueError) as error:
        print(case.name, error)
for kind in ('pytorch-converted', 'pytorch-operator', 'simple'):
    shutil.copytree(DATA / kind, folder / kind, dirs_exist_ok=True)
# Networks whose weights are constants, on inputs that count from 0 to 1, as the package runs them.
for path in sorted((DATA / 'light').glob('*.onnx')):
    into = folder / 'light' / path.stem / 'test_data_set_0'
    into.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, into.parent / 'model.onnx')
    graph = onnx.load(path).graph
    known = {each.name for each in graph.initializer}
    for j, info in enumerate(each for each in graph.input if each.name not in known):
        shape = [d.dim_value or 1 for d in info.type.tensor_type.shape.dim]
        count_to = np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)
        (into / f'input_{j}.pb').write_bytes(numpy_helper.from_array(count_to.astype(np.float32)).SerializeToString())
    for j in range(len(graph.output)):
        shutil.copy(path.with_name(f'{path.stem}_output_{j}.pb'), into / f'output_{j}.pb')
print(count, 'of the package itself')

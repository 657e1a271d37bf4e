"""Writes the backend tests of the `onnx` package as folders, which test/onnx/folders.test.ts runs.

    python3 test/onnx/cases.py FOLDER
    ONNX_TESTS=FOLDER/node npx vitest run test/onnx/folders

FOLDER/node has those that the package makes, with its newest opset; the others are copies of its own.
"""
import shutil
import sys
from pathlib import Path

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
for kind in ('pytorch-converted', 'pytorch-operator', 'simple', 'light'):
    if (DATA / kind).exists():
        shutil.copytree(DATA / kind, folder / kind, dirs_exist_ok=True)
print(count, 'of the package itself')

"""Writes the backend tests of the `onnx` package as folders, which test/onnx/folders.test.ts runs, and small.json.

    python3 test/onnx/cases.py FOLDER
    ONNX_TESTS=FOLDER/node npx vitest run test/onnx/folders

small.json, beside this file, has the smallest test of each operator that needs few bytes. FOLDER/node has those that the package makes, with its newest opset; the others are copies of its own.
"""
import base64
import json
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


def plain(graph) -> bool:
    return all(v.type.tensor_type.elem_type in PLAIN for v in [*graph.input, *graph.output])


def texts(path: Path) -> dict:
    def files(pattern):
        names = sorted(path.glob(f'test_data_set_0/{pattern}_*.pb'))
        return [base64.b64encode(name.read_bytes()).decode() for name in names]

    model = base64.b64encode((path / 'model.onnx').read_bytes()).decode()
    return {'name': path.name, 'model': model, 'inputs': files('input'), 'outputs': files('output')}


PLAIN = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13}
# Random, or of a file format.
NEITHER = {'Bernoulli', 'ImageDecoder'}
# Larger ones, of operators that have no small one, or one that says little.
MORE = {f'test_{name}' for name in (
    'roialign_aligned_true', 'deform_conv_with_mask_bias', 'causal_conv_with_state_silu_with_past_state', 'linear_attention_gated_delta',
    'melweightmatrix', 'tfidfvectorizer_tf_batch_uniandbigrams_skip5', 'col2im_5d', 'scan_sum', 'bitcast_float32_to_int32')}
small = {}
count = 0
for case in collect_testcases(None):
    try:
        write(case, folder / 'node' / case.name)
        count += 1
        operator, *others = [node.op_type for node in case.model.graph.node]
        row = texts(folder / 'node' / case.name)
        size = len(json.dumps(row))
        if case.name in MORE:
            small[f'{operator} {case.name}'] = row
        if not others and not case.model.graph.node[0].domain and operator not in NEITHER and plain(case.model.graph) and 'expanded' not in case.name:
            if size < 600 and size < len(json.dumps(small.get(operator, 'x' * 10000))):
                small[operator] = row
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
rows = ',\n'.join(json.dumps(small[key]) for key in sorted(small))
Path(__file__).with_name('small.json').write_text(f'[\n{rows}\n]\n')
print(len(small), 'small ones;', count, 'of the package itself')

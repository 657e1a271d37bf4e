# Writes messages.json: a model with every kind of attribute and of tensor data, as the `onnx` package has it: the bytes
# in base64, and what it reads there. Run where onnx and numpy are installed.
import base64
import json
from pathlib import Path

import numpy as np
from google.protobuf.json_format import MessageToDict
from onnx import AttributeProto, TensorProto, helper

tensor = helper.make_tensor
small = tensor("small", TensorProto.FLOAT, [2], [1.5, -2.5])
tensors = [
    small,
    tensor("ints", TensorProto.INT64, [4], [1, -1, 2**53, -(2**63)]),
    tensor("unsigned", TensorProto.UINT64, [2], [3, 2**64 - 1]),
    tensor("bytes", TensorProto.INT8, [3], [-128, 0, 127]),
    tensor("doubles", TensorProto.DOUBLE, [1, 1], [0.1]),
    tensor("texts", TensorProto.STRING, [2], [b"a", "é".encode()]),
    tensor("raw", TensorProto.FLOAT, [2], np.float32([1, 2]).tobytes(), raw=True),
    tensor("none", TensorProto.FLOAT, [0], []),
]
outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[5], data_location=TensorProto.EXTERNAL)
for key, value in [("location", "weights.bin"), ("offset", "4096"), ("length", "20")]:
    outside.external_data.add(key=key, value=value)
tensors.append(outside)

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, None])
y = helper.make_tensor_sequence_value_info("y", TensorProto.INT32, [2])
inner = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "inner", [], [x])
sparse = helper.make_sparse_tensor(small, tensor("at", TensorProto.INT64, [2], [0, 7]), [9])
attributes = dict(
    f=-0.25, i=-7, big=2**62, s="text", t=small, g=inner, floats=[0.5, 1.5], ints=[-1, 0, 300], strings=["a", ""],
    graphs=[inner], tensors=[small], sparse=sparse, type=x.type,
)
node = helper.make_node("Made", ["x", "", "w"], ["y"], name="/layer/Made", domain="own", **attributes)
node.attribute.append(AttributeProto(name="alpha", ref_attr_name="outer", type=AttributeProto.FLOAT))
function = helper.make_function("own", "Made", ["a"], ["b"], [], [helper.make_opsetid("", 17)], attributes=["alpha"])
graph = helper.make_graph([node], "graph", [x], [y], tensors, sparse_initializer=[sparse])
model = helper.make_model(graph, functions=[function], opset_imports=[helper.make_opsetid("", 17)], producer_name="é")
model.metadata_props.add(key="a", value="b")

content = {"bytes": base64.b64encode(model.SerializeToString(deterministic=True)).decode(), "read": MessageToDict(model)}
Path(__file__).with_name("messages.json").write_text(json.dumps(content, ensure_ascii=False) + "\n")

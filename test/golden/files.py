"""Files of other programs for test/io, in test/io/files: PyTorch's, NumPy's and those of safetensors.

Values follow from their places, so that tests know them. Run by itself, where PyTorch, NumPy and safetensors are installed:
`python3 test/golden/files.py`. It reads the files that we wrote (ours.*, by `WRITE=1 npx vitest run test/io`), too.
"""
import io
import json
import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn

FILES = Path(__file__).parent.parent / "io/files"
warnings.filterwarnings("ignore")


def values(count, dtype):
    """-2, -1.5, -1, … of floats; -2, -1, … of signed integers; 0, 1, 2, … and 0, 1, 0, 1, … of others."""
    x = torch.arange(count)
    if dtype.is_floating_point:
        return ((x - 4) / 2).to(dtype)
    if dtype == torch.bool:
        return x % 2 == 1
    return (x if dtype in (torch.uint8, torch.uint16, torch.uint32, torch.uint64) else x - 2).to(dtype)


def everything():
    """Each dtype, layout and plain value."""
    dtypes = {str(d).replace("torch.", ""): d for d in (
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool, torch.uint16, torch.uint32, torch.uint64)}
    base = values(24, torch.float32)
    return {
        "dtypes": OrderedDict((name, values(6, d).reshape(2, 3)) for name, d in dtypes.items()),
        "layouts": {
            "transposed": base.reshape(4, 6).T,
            "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
            "strided": base[1::3],
            "part": base[5:11].reshape(2, 3),
            "whole": base,
            "expanded": torch.tensor([1.5, -2.0]).expand(3, 2),
            "integers": values(12, torch.int64).reshape(3, 4).T,
            "empty": torch.zeros(0, 3),
            "scalar": torch.tensor(2.5),
        },
        "plain": {
            "none": None, "true": True, "false": False, "int": 7, "negative": -300, "large": 2**40, "huge": 2**70,
            "float": 0.1, "infinite": float("inf"), "text": "Grüße 😀", "empty": "", "long": "x" * 300,
            "bytes": b"\x00\xff", "bytearray": bytearray(b"ab"),
            "list": [1, [2.5, "three"]], "tuple": (1, 2), "pair": ((), (1, 2, 3, 4)), "set": {1}, "frozen": frozenset(["a"]),
            "size": torch.Size([2, 3]), "device": torch.device("cpu"), "cuda": torch.device("cuda", 1), "dtype": torch.bfloat16,
            "numbered": {0: "zero", 1: {"one": 1}}, "shared": [base[:2]] * 2,
        },
        "parameter": nn.Parameter(values(2, torch.float32)),
        "buffer": nn.Buffer(values(2, torch.float32)),
    }


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 1))


def step(model, optimizer):
    x = torch.arange(15.0).reshape(5, 3) / 10 - 0.7
    optimizer.zero_grad()
    model(x).square().mean().backward()
    optimizer.step()


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: torch.optim.RMSprop(p, momentum=0.5, centered=True),
}


def runs():
    """Checkpoints of a training, and what its weights are two steps later."""
    saved, later = {}, {}
    for name, make in OPTIMIZERS.items():
        model = network()
        optimizer = make(model.parameters())
        for _ in range(3):
            step(model, optimizer)
        buffer = io.BytesIO()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, buffer)
        saved[name] = torch.load(io.BytesIO(buffer.getvalue()))
        for _ in range(2):
            step(model, optimizer)
        later[name] = {key: [round(float(v), 7) for v in x.flatten()] for key, x in model.state_dict().items()}
    torch.save(saved, FILES / "runs.pt")
    (FILES / "runs.json").write_text(json.dumps(later) + "\n")


def rewritten(source, target, method=zipfile.ZIP_STORED, change=lambda name, data: data, zip64=False):
    """A copy of an archive, its entries changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for name in old.namelist():
            with new.open(zipfile.ZipInfo(name), "w", force_zip64=zip64) if zip64 else io.BytesIO() as out:
                data = change(name, old.read(name))
                if zip64:
                    out.write(data)
                else:
                    new.writestr(name, data, method)


def big_endian(name, data):
    """What a machine of the other byte order writes, of an archive of f64 and i32 alone."""
    if name.endswith("/byteorder"):
        return b"big"
    if "/data/" in name:
        return np.frombuffer(data, "<f8" if name.endswith("0") else "<i4").byteswap().tobytes()
    return data


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/evil",)


def pytorch():
    torch.save(everything(), FILES / "everything.pt")
    torch.save(everything(), FILES / "protocol-5.pt", pickle_protocol=5)
    torch.save(everything(), FILES / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(network().state_dict(), FILES / "state.pt")
    rewritten(FILES / "state.pt", FILES / "deflated.pt", zipfile.ZIP_DEFLATED)
    rewritten(FILES / "state.pt", FILES / "zip64.pt", zip64=True)
    torch.save([values(5, torch.float64), values(5, torch.int32)], FILES / "endian.pt")
    rewritten(FILES / "endian.pt", FILES / "big-endian.pt", change=big_endian)
    (FILES / "endian.pt").unlink()
    torch.save({"a": Evil()}, FILES / "evil.pt")
    torch.save({"a": Evil()}, FILES / "evil-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(nn.Linear(1, 1), FILES / "module.pt")
    torch.save({"loss": np.float64(1)}, FILES / "numpy.pt")
    torch.save(torch.eye(2).to_sparse(), FILES / "sparse.pt")
    torch.save(torch.zeros(2, dtype=torch.complex64), FILES / "complex.pt")
    torch.save(torch.eye(2).to_sparse_csr(), FILES / "sparse-csr.pt")
    x = torch.arange(12.0).reshape(2, 3, 2) / 4 - 1
    scales, zeros = torch.tensor([0.25, 0.5, 0.125], dtype=torch.float64), torch.tensor([0, 1, -2])
    torch.save({
        "tensor": torch.quantize_per_tensor(x, 0.25, 3, torch.quint8),
        "turned": torch.quantize_per_tensor(x, 0.25, 0, torch.qint32).transpose(0, 2),
        "channel": torch.quantize_per_channel(x, scales, zeros, 1, torch.qint8),
    }, FILES / "quantized.pt")
    torch.save(torch.zeros(2).untyped_storage(), FILES / "storage.pt")
    torch.save({(1, 2): 3}, FILES / "tuple-key.pt")
    torch.save({"x": torch.tensor([1, 2**40]), "y": torch.tensor([1e300], dtype=torch.float64)}, FILES / "wide.pt")
    torch.jit.script(nn.Linear(1, 1)).save(FILES / "script.pt")
    runs()


def numpy():
    arrays = {}
    for code in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"):
        for order in "<>" if code not in ("?", "i1", "u1") else "|":
            x = np.arange(24)
            x = x % 2 if code == "?" else (x - 4) / 2 if code[0] == "f" else x - 2 if code[0] == "i" else x
            for shape in ((24,), (2, 3, 4)):
                for layout in "CF":
                    name = f"{code.replace('?', 'b1')}{'big' if order == '>' else ''}-{len(shape)}{layout}"
                    arrays[name] = np.asarray(x.reshape(shape), dtype=np.dtype(code).newbyteorder(order), order=layout)
    arrays["scalar"] = np.float32(2.5)
    arrays["empty"] = np.zeros((0, 3), np.float32)
    np.savez_compressed(FILES / "arrays.npz", **arrays)
    np.savez(FILES / "stored.npz", a=np.arange(3, dtype=np.float32), b=np.array([True, False]))
    for version in (1, 2, 3):
        with open(FILES / f"version-{version}.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(6, dtype=np.float32).reshape(2, 3), (version, 0))
    refused = {
        "structured": np.zeros(2, [("a", "<f4"), ("b", "<i8")]), "object": np.array([None, {}]), "text": np.array(["abc"]),
        "bytes": np.array([b"abc"]), "complex": np.zeros(2, np.complex64), "date": np.array(["2024-01-01"], "M8[D]"),
        "long": np.zeros(2, np.longdouble), "void": np.zeros(2, "V3"),
    }
    out = {}
    for name, x in refused.items():
        buffer = io.BytesIO()
        np.save(buffer, x, allow_pickle=True)
        out[name] = buffer.getvalue().hex()
    wide = io.BytesIO()
    np.save(wide, np.array([1, 2**40]))
    out["wide"] = wide.getvalue().hex()
    (FILES / "refused.json").write_text(json.dumps(out) + "\n")


def safetensors():
    from safetensors.torch import save_file

    with_all = {str(d).replace("torch.", ""): values(6, d).reshape(2, 3) for d in (
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.uint64)}
    save_file(with_all, FILES / "dtypes.safetensors")
    names = ["a.weight", "b.weight", "c.bias"]
    tensors = {name: values(4, torch.float32).reshape(2, 2) + 10 * i for i, name in enumerate(names)}
    shards = [f"model-0000{i + 1}-of-00002.safetensors" for i in range(2)]
    folder = FILES / "sharded"
    folder.mkdir(exist_ok=True)
    save_file({"a.weight": tensors["a.weight"]}, folder / shards[0], {"format": "pt"})
    save_file({name: tensors[name] for name in names[1:]}, folder / shards[1], {"format": "pt"})
    index = {"metadata": {"total_size": 48}, "weight_map": {"a.weight": shards[0], "b.weight": shards[1], "c.bias": shards[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def check_ours():
    """That others read what we wrote, and find in it what we say."""
    torch.testing.assert_close(torch.load(FILES / "ours.pt", weights_only=True)["layer"], {
        "weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.5, -2.0])})
    loaded = torch.load(FILES / "ours.pt", weights_only=True)
    assert loaded["plain"] == {"none": None, "yes": True, "int": 3, "large": 2**40, "huge": 2**70, "float": 0.1, "text": "Grüße 😀",
                               "list": [1, [2.5, "x"]], "set": {1, 2}, "numbered": {0: "a", 1: "b"}, "map": {"0": 1}, "bytes": b"\x00\xff"}, loaded["plain"]
    assert loaded["tied"][0].data_ptr() == loaded["tied"][1].data_ptr()
    for name, dtype in {"u8": torch.uint8, "i32": torch.int32, "i64": torch.int64, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}.items():
        assert loaded["dtypes"][name].dtype == dtype and loaded["dtypes"][name].tolist() == [0, 1, 2], name
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    optimizer.load_state_dict(loaded["optimizer"])
    assert optimizer.state[next(iter(model.parameters()))]["step"] == 2
    for name in ("ours.npz", "ours-compressed.npz"):
        with np.load(FILES / name) as arrays:
            assert {key: (x.dtype.str, x.tolist()) for key, x in arrays.items()} == {
                "f32": ("<f4", [[0, 1, 2], [3, 4, 5]]), "i32": ("<i4", [-1]), "u8": ("|u1", []), "i64": ("<i8", [2**40]),
                "f64": ("<f8", 0.1), "f16": ("<f2", [1.5]), "u64": ("<u8", [2**63])}, name
    print("others read ours")


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    pytorch()
    numpy()
    safetensors()
    if (FILES / "ours.pt").exists():
        check_ours()

"""What PyTorch's public names take: signatures.json, for test/signatures/pytorch.test.ts.

A form is the text of its arguments without their types, defaults written as JSON: "input, p=0.5, *, dtype=null".
Overloaded names have several. Builtins have no signatures at run time: those of the stubs (.pyi) count.
"""
import ast
import inspect
import json
import math
import re
import typing
from pathlib import Path

import torch
import torch.nn.functional
import torch.nn.init
import torch.nn.utils
import torch.nn.utils.parametrizations
import torch.nn.utils.parametrize
import torch.nn.utils.rnn
import torch.optim.lr_scheduler
import torch.optim.swa_utils
import torch.utils.checkpoint
import torch.utils.data

from store import HERE

# Keyword arguments of all functions that make tensors, which say where and how they lie.
# What the stubs have wrong: a position of dtype, the name of a flag.
OF_DOCS = {"tensor", "requires_grad_"}
LEFT_OUT = {"out", "layout", "device", "pin_memory", "memory_format"}


def number(value):
    return repr(int(value)) if math.isfinite(value) and value == int(value) else repr(value).replace("e-0", "e-").replace("inf", "Infinity")


def default(value):
    """A default as JSON; what JSON lacks by its name."""
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(default, value))}]"
    return "required" if "required" in repr(value) else getattr(value, "__name__", type(value).__name__)


def written(source):
    """A default of a stub as JSON."""
    try:
        return default(ast.literal_eval(source))
    except (ValueError, SyntaxError):
        return ast.unparse(source) if isinstance(source, ast.AST) else source.strip()


def form(arguments):
    """`arguments` are (name, mark, default or None), the mark "*" where one goes by name only."""
    parts, star = [], False
    for name, mark, value in arguments:
        if mark == "*" and (name in LEFT_OUT or name.startswith("_")):
            continue
        if mark == "*" and not star:
            parts.append("*")
            star = True
        star = star or mark == "..."
        parts.append(("*" if mark == "..." else "") + name + ("" if value is None else f"={value}"))
    return ", ".join(parts)


def of_function(function, skip=()):
    """The form of what Python can tell the signature of."""
    kinds = inspect.Parameter
    return form(
        (p.name, {kinds.KEYWORD_ONLY: "*", kinds.VAR_POSITIONAL: "..."}.get(p.kind, ""), None if p.default is p.empty else default(p.default))
        for p in inspect.signature(function).parameters.values()
        if p.kind is not kinds.VAR_KEYWORD and p.name not in skip
    )


def of_stub(node, skip=()):
    """The form of a function in a stub."""
    a = node.args
    plain = a.posonlyargs + a.args
    values = [None] * (len(plain) - len(a.defaults)) + a.defaults
    arguments = [(p.arg, "", None if v is None else written(v)) for p, v in zip(plain, values)]
    if a.vararg:
        arguments.append((a.vararg.arg, "...", None))
    arguments += [(p.arg, "*", None if v is None else written(v)) for p, v in zip(a.kwonlyargs, a.kw_defaults)]
    return form(x for x in arguments if x[0] not in skip)


def stubs(path, inside=None, skip=()):
    """name → the forms of a stub file, or of a class in it."""
    body = ast.parse((Path(torch.__file__).parent / path).read_text()).body
    if inside:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == inside).body
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(of_stub(node, skip))
    return found


def of_doc(name, function):
    """The form that the first line of a doc has."""
    line = re.match(rf"\s*{name}\((.*?)\)", inspect.getdoc(function) or "", re.S)
    return form(
        (part.strip(), mark, None) if "=" not in part else (part.split("=")[0].strip(), mark, written(part.split("=")[1]))
        for part, mark in marked(line.group(1))
    ) if line else None


def marked(text):
    """The arguments of a doc's line, with what they are marked by."""
    mark = ""
    for part in re.split(r",\s*(?![^()]*\))", text):
        if part.strip() == "*":
            mark = "*"
        elif part.strip():
            yield part, mark


def dispatched(function):
    """The function that a pool with return_indices calls: it has the signature of the other and that argument."""
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    return next((x for x in cells if callable(x) and "with_indices" in getattr(x, "__name__", "")), None)


def functions(module, known=None, skip=()):
    """name → forms of the functions of a module, or the methods of a class."""
    found = {}
    for name in dir(module):
        value = inspect.getattr_static(module, name, None) if inspect.isclass(module) else getattr(module, name)
        value = getattr(value, "__func__", value)
        if name.startswith("_") or not callable(value) or inspect.isclass(value) and name[0].isupper():
            continue
        try:
            own = of_function(dispatched(value) or value, skip)
            forms = (known or {}).get(name, [own]) if "*args" in own else [own]
        except (ValueError, TypeError):
            forms = (known or {}).get(name)
            # Some stubs do not tell defaults, where docs do.
            if not forms or name in OF_DOCS or any("ellipsis" in each for each in forms):
                forms = [own] if (own := of_doc(name, value)) is not None else None
        if forms:
            found[name] = list(dict.fromkeys(forms))
    return found


def overloaded(value):
    """The first form that a class declares where it takes anything."""
    found = typing.get_overloads(value.__init__) if hasattr(value.__init__, "__module__") else []
    return next(iter(found), None)


def classes(module):
    """name → forms of the classes of a module."""
    return {
        # Layers without arguments of their own ignore what they are given.
        name: [""] if value.__init__ is torch.nn.Module.__init__ else [of_function(overloaded(value) or value, ("self",))]
        for name in dir(module)
        if inspect.isclass(value := getattr(module, name)) and not name.startswith("_") and value.__module__.startswith(module.__name__)
    }


def methods(*wanted):
    """Class.method → forms."""
    return {
        f"{owner.__name__}.{name}": forms
        for owner in wanted
        for name, forms in functions(owner, skip=("self",)).items()
        if name != "forward"
    }


def statics(owner):
    """Class.method → forms, of the methods that a class has itself."""
    return {f"{owner.__name__}.{name}": forms for name, forms in functions(owner, skip=("self",)).items() if name in vars(owner) and name != "forward"}


def forwards(module):
    """Class.forward → its form, of the classes of a module."""
    return {
        f"{name}.forward": [of_function(value.forward, ("self",))]
        for name in dir(module)
        if inspect.isclass(value := getattr(module, name)) and "forward" in vars(value) and value is not torch.nn.Module
    }


def pretrained(*wanted):
    """The class methods that make a layer of given vectors."""
    return {f"{owner.__name__}.from_pretrained": [of_function(owner.from_pretrained)] for owner in wanted}


def signatures():
    nn, optim, data = torch.nn, torch.optim, torch.utils.data
    variable, builtin = stubs("_C/_VariableFunctions.pyi"), stubs("_C/__init__.pyi")
    content = {
        "autograd": {
            **{name: functions(torch.func)[name] for name in ("vmap", "functional_call")},
            "Function": [""], "Function.apply": ["*args"],
            **functions(torch.autograd), **functions(torch.autograd.functional),
            **{name: [of_function(getattr(torch.utils.checkpoint, name))] for name in ("checkpoint", "checkpoint_sequential")},
        },
        "torch": {**functions(torch, {**builtin, **variable}), **methods(torch.Generator)},
        "Tensor": functions(torch.Tensor, stubs("_C/__init__.pyi", "TensorBase", ("self",)), ("self",)),
        "functional": functions(nn.functional, {**stubs("_C/_nn.pyi"), **variable}),
        "nn": {**classes(nn), **forwards(nn), **pretrained(nn.Embedding, nn.EmbeddingBag), **methods(nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList), **statics(nn.Transformer)},
        "init": functions(nn.init),
        "utils": {**functions(nn.utils), **functions(nn.utils.parametrize), "orthogonal": [of_function(nn.utils.parametrizations.orthogonal)]},
        "rnn": {**functions(nn.utils.rnn), **classes(nn.utils.rnn)},
        "optim": {**classes(optim), **methods(optim.Optimizer, optim.LBFGS)},
        "lr_scheduler": {
            **classes(optim.lr_scheduler), **methods(*(value for value in vars(optim.lr_scheduler).values() if inspect.isclass(value) and issubclass(value, optim.lr_scheduler.LRScheduler))),
        },
        "swa_utils": {**classes(optim.swa_utils), **functions(optim.swa_utils), **methods(optim.swa_utils.AveragedModel)},
        "distributions": {**classes(torch.distributions), **functions(torch.distributions), **methods(torch.distributions.Distribution)},
        "data": {**classes(data), **functions(data)},
    }
    (HERE / "signatures.json").write_text(json.dumps(content, indent=0, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    signatures()

#!/usr/bin/python3
"""Writes the golden values in this folder: what PyTorch answers, for the tests beside them to compare with.

Run `python3 test/golden/generate.py`: what needs a package that is not installed is left out, and named at the end. `--list` says what
that would be, and names of scripts (`pytorch tables`) run these alone. Beside PyTorch's own goldens these are files of other programs
and what they read of them, each by a script of its own, which says what it writes; `npm run format` then formats those outside of this
folder. Of PyTorch, inputs are f32 numbers and lie in the files,
PyTorch computes on them in f64, and results have 9 significant digits: a difference is ours, not PyTorch's rounding.

A file is `{ "tensors": [...], "cases": [...] }`. A case calls the public function `call` (a leading dot: a method) on `args`,
where "$2" is input 2; `inputs`, `output`, `gradOutput` and `grads` are positions in `tensors`. Of Compact, a case is a row; inputs may be
a seed, longer answers are their largest number and two sums, and gradients of outputs and weights are made of seeds that tests know.
"""
import importlib.machinery
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # no caches beside the sources
HERE = Path(__file__).resolve().parent

# Scripts that run by themselves, and the packages that they import.
OTHERS = {
    'columnar': ['numpy', 'pandas', 'pyarrow', 'PIL'],
    'files': ['torch', 'numpy', 'safetensors'],
    'prepare': ['numpy', 'sklearn'],
    'pretrained': ['torch', 'transformers'],
    'tables': ['pandas'],
    'tokenizers': ['tokenizers'],
}


def missing(packages):
    """Those that are not installed; this folder has a file that is called as one of them."""
    paths = [path for path in sys.path if Path(path or '.').resolve() != HERE]
    return [name for name in packages if not importlib.machinery.PathFinder.find_spec(name, paths)]


def pytorch():
    from algebra import algebra
    from arithmetic import arithmetic
    from architectures import architectures
    from attention import attention
    from averages import averages
    from cells import cells
    from criteria import criteria
    from derivatives import derivatives
    from distributions import distributions
    from embedding import activations, embeddings
    from functions import elementwise, layouts, masks, norms, products, reductions
    from inplace import inplace
    from lbfgs import lbfgs
    from losses import losses
    from moves import moves
    from networks import networks
    from optimizers_more import optimizers_more
    from pool import layers, pools
    from schedules import schedules
    from rest import rest
    from rnn import rnns
    from second import seconds
    from signatures import signatures
    from sparse import sparse
    from spatial import spatial
    from trained import trained
    from training import modules, optimizers

    # Some of its weights are files of safetensors.
    alone = [architectures] if missing(['safetensors']) else []
    if alone:
        print('pytorch: without architectures, which needs safetensors')
    for write in (
        moves, algebra, arithmetic,
        elementwise, reductions, products, layouts, norms, losses, optimizers, modules, pools, layers, masks, cells, architectures, seconds,
        spatial,
        embeddings, activations,
        trained,
        schedules,
        rnns,
        criteria,
        distributions,
        optimizers_more,
        lbfgs,
        signatures,
        attention,
        averages,
        networks,
        sparse,
    ):
        if write not in alone:
            write()
    inplace()
    derivatives()
    rest()


def run(name):
    if name == 'pytorch':
        return pytorch()
    # In a process of its own: some end with a check of what we wrote.
    return subprocess.run([sys.executable, '-B', str(HERE / f'{name}.py')], check=True)


def main(chosen):
    needs = {'pytorch': ['torch'], **OTHERS}
    unknown = [name for name in chosen if name not in needs and name != '--list']
    if unknown:
        sys.exit(f'generate: expected names among {", ".join(needs)}, got {", ".join(unknown)}')
    lacking = {name: missing(packages) for name, packages in needs.items()}
    names = [name for name in needs if name in chosen or not set(chosen) - {'--list'}]
    failed = []
    for name in names:
        if lacking[name]:
            continue
        print(f'{name}: {"would run" if "--list" in chosen else "runs"}', flush=True)
        if '--list' in chosen:
            continue
        try:
            run(name)
        except subprocess.CalledProcessError as error:
            failed.append(f'{name} ended with {error.returncode}')
    for name in names:
        if lacking[name]:
            print(f'{name}: skipped, without {", ".join(lacking[name])}')
    if failed:
        sys.exit(f'generate: {"; ".join(failed)}')


if __name__ == '__main__':
    main(sys.argv[1:])

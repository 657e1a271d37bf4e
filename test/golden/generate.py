#!/usr/bin/python3
"""Writes the golden values in this folder: what PyTorch answers, for the tests beside them to compare with.

Run `python3 test/golden/generate.py` where PyTorch and safetensors are installed. Inputs are f32 numbers and lie in the files,
PyTorch computes on them in f64, and results have 9 significant digits: a difference is ours, not PyTorch's rounding.

A file is `{ "tensors": [...], "cases": [...] }`. A case calls the public function `call` (a leading dot: a method) on `args`,
where "$2" is input 2; `inputs`, `output`, `gradOutput` and `grads` are positions in `tensors`. Of Compact, a case is a row; inputs may be
a seed, longer answers are their largest number and two sums, and gradients of outputs and weights are made of seeds that tests know.
"""
import sys

sys.dont_write_bytecode = True  # no caches beside the sources

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
    write()
inplace()
derivatives()
rest()

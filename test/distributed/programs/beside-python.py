"""The other rank of beside-python.js: python beside-python.py VERSION"""

import json
import os
import sys
import zlib

import numpy
from mpi4py import MPI

world = MPI.COMM_WORLD
# What ranks agree on goes beside all that they compute.
control = world.Dup()
RECORD = 512


def agree(text):
    """Tells the other ranks what this one is about to do."""
    data = text.encode()
    record = (b"%08x" % zlib.crc32(data) + data)[:RECORD].ljust(RECORD, b"\0")
    every = bytearray(RECORD * world.size)
    control.Allgather(record, every)
    assert every == record * world.size, bytes(every)


def all_reduce(x, operation, name, shape):
    agree(f"allReduce {name} of f32 {shape}")
    world.Allreduce(MPI.IN_PLACE, x, operation)
    return x.tolist()


agree(sys.argv[1])
total = all_reduce(numpy.array([10, 20, 30, 40], "f4"), MPI.SUM, "sum", "[4]")
agree("broadcast root 1 of i32 [1, 2]")
world.Bcast(numpy.array([7, 8], "i4"), 1)
agree("allGather of f32 [2, 1]")
halves = numpy.array([0, 1.5], "f4")
world.Allgather(MPI.IN_PLACE, halves)
large = all_reduce(numpy.full(300_000, 3, "f4"), MPI.MAX, "max", "[300000]")
world.Barrier()
mean = all_reduce(numpy.array([4, 8], "f4"), MPI.SUM, "sum", "[2]")
with open(os.path.join(os.environ["RANK_REPORTS"], str(world.rank)), "a") as file:
    file.write(json.dumps([total, halves.tolist(), sum(large), mean]) + "\n")

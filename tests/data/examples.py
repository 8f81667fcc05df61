"""A call of every public callable, made on either device: see tests/devices/example.py."""

from etude.data.canvas import place, random_place
from etude.data.curves import thin_ellipses
from etude.data.digits import Digits, split
from etude.data.dna import log_odds, motif, strands
from etude.data.painters import jobs
from etude.data.planar import blobs, moons, ring, spirals
from tests.devices.example import call

EXAMPLES = {
    place: lambda at: (at.randn(3, 1, 4, 4), 9, at.randint(3, 3), -1),
    random_place: lambda at: call(at.randn(3, 1, 4, 4), 9, 2, noise=0.1),
    split: lambda at: (Digits(at.rand(9, 1, 8, 8), at.randint(10, 9)), 3),
    log_odds: lambda at: at.randn(4, 6).softmax(0),
    motif: lambda at: 6,
    strands: lambda at: (10, at.randn(4, 6).softmax(0)),
    jobs: lambda at: call(2, dtype=at.dtype),
    blobs: lambda at: 20,
    moons: lambda at: 20,
    thin_ellipses: lambda at: (2, 16),
    ring: lambda at: 20,
    spirals: lambda at: 20,
}

"""Every public callable of the library does on the device what it does on the CPU."""

import pytest

from tests.devices.discovery import EXCLUDED, collect, public_callables
from tests.devices.example import TYPES, compare
from tests.on_device import accelerator, holds, named

FOUND, FAULTS = collect()
CASES = [
    pytest.param(
        name,
        dtype,
        id=f"{name.removeprefix('etude.')}-{str(dtype).removeprefix('torch.')}",
        marks=[] if holds(dtype) else pytest.mark.skip(f"{accelerator()} has no {dtype}"),
    )
    for name, (_, example) in FOUND.items()
    for dtype in getattr(example, "types", TYPES)
]


def test_no_public_callable_is_forgotten():
    assert FAULTS == []
    assert set(FOUND) | set(EXCLUDED) == set(public_callables())


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_it_leaves_the_same_on_the_device(name, dtype, fake_device, record_property):
    measured = compare(*FOUND[name], dtype)
    if named():
        record_property("measured", measured)

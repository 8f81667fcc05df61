"""Every public callable of the library, found by walking it, and the examples beside the tests."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import etude
from tests.devices.example import function_of, name_of

SHARED = {"core", "data", "environments"}  # rooms whose modules have their tests in one folder
PICTURES = "etude.figures"  # draws with matplotlib, from numbers that are on the CPU by then

EXCLUDED = {
    "etude.core.device.device": "names a device and makes nothing on it",
    "etude.core.device.threads": "counts the threads of the CPU",
    "etude.core.door.answers": "wraps methods: run with every verb of an estimator",
    "etude.core.door.asks_for_rows": "looks at the names of parameters, at no tensor",
    "etude.core.door.learns": "wraps methods: run with every `fit`",
    "etude.core.estimator.Estimator": "an interface: its leaves are run",
    "etude.core.estimator.Transformer": "an interface: its leaves are run",
    "etude.core.random.seeded": "serves what draws on the CPU; every example is made inside it",
    "etude.data.digits.digits": "reads a file: the data stand on the CPU until they are moved",
    "etude.data.images.china": "reads a file: the picture stands on the CPU until it is moved",
    "etude.data.images.flower": "reads a file: the picture stands on the CPU until it is moved",
}


def modules() -> Iterator[ModuleType]:
    """All modules but those that draw pictures."""
    for found in pkgutil.walk_packages(etude.__path__, "etude."):
        if not f"{found.name}.".startswith(f"{PICTURES}."):
            yield importlib.import_module(found.name)


def public_callables() -> dict[str, str]:
    """The dotted names of all public functions, methods and properties, and the key of each."""
    return {f"{module.__name__}.{key}": key for module in modules() for key in callables_of(module)}


def callables_of(module: ModuleType) -> Iterator[str]:
    """The names in `__all__`, or without underscore where there is none; defined in the module."""
    names = getattr(module, "__all__", [name for name in vars(module) if name[0] != "_"])
    for name in names:
        value = getattr(module, name)
        if getattr(value, "__module__", module.__name__) != module.__name__:
            continue  # it comes from elsewhere, and is found there
        if inspect.isclass(value):
            yield from callables_of_class(value)
        elif callable(value):
            yield name


def callables_of_class(kind: type) -> Iterator[str]:
    """The public methods and properties of a class; where it has none, the class."""
    found = [name for name, value in vars(kind).items() if is_verb(name, value, kind)]
    yield from (f"{kind.__qualname__}.{name}" for name in found)
    # A class is made in the examples of its methods; a record holds what it is given.
    record = hasattr(kind, "_fields") or "__dataclass_fields__" in vars(kind)
    if not (found or record or issubclass(kind, BaseException) or inspect.isabstract(kind)):
        yield kind.__qualname__


def is_verb(name: str, value: Any, kind: type) -> bool:
    """Whether this is a public method or property that the class itself defines."""
    value = getattr(value, "__func__", value)  # of a static method or a class method
    if not (inspect.isfunction(value) or isinstance(value, property | cached_property)):
        return False
    mine = function_of(value).__module__ == kind.__module__
    public = name[0] != "_" or name == "__call__"
    return mine and public and not getattr(value, "__isabstractmethod__", False)


def place(name: str) -> str:
    """The file in which the examples of a module, or of what is in it, stand."""
    rooms = name.split(".")[1:3]
    return "/".join(["tests", *rooms[: 1 if rooms[0] in SHARED else 2], "examples.py"])


def examples(file: str, faults: list[str]) -> dict[Any, Callable]:
    """What stands in one file; a fault where it names what the library does not have."""
    if not (Path(__file__).parents[2] / file).exists():
        return {}
    try:
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        return module.EXAMPLES
    except (ImportError, AttributeError) as error:
        faults.append(f"{file}: {error}: an example of what is gone? Take it out")
        return {}


def collect() -> tuple[dict[str, tuple[Any, Callable]], list[str]]:
    """Every callable with its example, and what is wrong: forgotten, gone, in the wrong place."""
    wanted, faults, found = public_callables(), [], {}
    for file in sorted({place(module.__name__) for module in modules()}):
        for key, example in examples(file, faults).items():
            name = name_of(key)
            if name not in wanted:
                faults.append(f"{name} is no public callable (any more): take it out of {file}")
            elif name in EXCLUDED:
                faults.append(f"{name} is excluded, and has an example in {file}")
            elif place(name) != file:
                faults.append(f"{name}: its example belongs into {place(name)}, not into {file}")
            found[name] = key, example
    for name, key in wanted.items():
        if name not in found and name not in EXCLUDED:
            faults.append(f"{name} has no example: add `{key}: lambda at: …` to {place(name)}")
    faults += [f"{name} is excluded, and gone" for name in EXCLUDED if name not in wanted]
    return {name: found[name] for name in sorted(found)}, faults

"""A pretended accelerator with real values, for machines that have none.

`register()` names a device type and `FakeAccelerator()` is a context in which tensors can be made
on it. A tensor "on" the device says `device="fakegpu:0"` and keeps its numbers in a CPU tensor, so
`.item()`, control flow and training loops work. An operator that gets tensors of two devices
raises what CUDA raises, a CPU generator is refused for a draw on the device, and `.numpy()` needs
`.cpu()` first: whoever allocates on a hard-coded device fails. It rests on private parts of torch,
so `tests/devices` tests it before anything relies on it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from tests.fake_cells import CELLS

aten: Any = torch.ops.aten
NAME = "fakegpu"
READS_TWO_DEVICES = {  # on CUDA too
    aten.copy_.default,
    aten._to_copy.default,
    aten.index.Tensor,
    aten._unsafe_index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index_put.default,
}


class _Backend:
    """What the rest of torch asks `torch.fakegpu` for."""

    is_initialized = is_available = staticmethod(lambda: True)
    current_device = staticmethod(lambda: 0)
    device_count = staticmethod(lambda: 1)
    _is_in_bad_fork = staticmethod(lambda: False)
    set_device = synchronize = staticmethod(lambda device=None: None)
    manual_seed = manual_seed_all = staticmethod(lambda seed: None)
    get_rng_state = staticmethod(lambda device=None: torch.get_rng_state())
    set_rng_state = staticmethod(lambda state, device=None: None)
    get_amp_supported_dtype = staticmethod(lambda: [torch.float16, torch.bfloat16])


_libraries: list[torch.library.Library] = []  # a library is forgotten with its last reference


def register() -> torch.device:
    """The device, whose type is made known once per process."""
    if not hasattr(torch, NAME):
        _setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
        # autocast changes nothing on the device, instead of failing for want of kernels
        library = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
        library.fallback(torch.library.fallthrough_kernel)
        _libraries.append(library)
    return torch.device(NAME, 0)


_RealGenerator = torch.Generator
_on_device: set[int] = set()  # addresses of the generators that belong to the device


class _DeviceGenerator(torch.Generator):
    """A CPU generator that says it lives on the device."""

    def __init__(self) -> None:
        _on_device.add(self._cdata)

    def __del__(self) -> None:
        _on_device.discard(self._cdata)

    def manual_seed(self, seed: int) -> "_DeviceGenerator":
        super().manual_seed(seed)
        return self

    @property
    def device(self) -> torch.device:
        return torch.device(NAME, 0)


class _GeneratorMeta(type):
    def __call__(cls, device: Any = "cpu") -> torch.Generator:
        there = torch.device(device).type == NAME
        return _DeviceGenerator() if there else _RealGenerator(device)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _RealGenerator)


class _Generator(metaclass=_GeneratorMeta):
    """Stands for `torch.Generator` while the device is in use."""


class DeviceTensor(Tensor):
    """A tensor that reports the device and holds its numbers on the CPU."""

    value: Tensor

    @staticmethod
    def __new__(cls, value: Tensor) -> "DeviceTensor":
        return Tensor._make_wrapper_subclass(
            cls,
            value.size(),
            strides=value.stride(),
            storage_offset=value.storage_offset(),
            dtype=value.dtype,
            layout=value.layout,
            device=torch.device(NAME, 0),
            requires_grad=False,
        )

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def __repr__(self, **options: Any) -> str:
        return f"{self.value!r}"[:-1] + f", device='{NAME}:0')"

    def __deepcopy__(self, memo: dict) -> Tensor:
        with torch.no_grad():
            copied = DeviceTensor(self.value.clone())
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        memo[id(self)] = copied
        return copied

    def numpy(self, *arguments: Any, **options: Any) -> Any:
        raise TypeError(
            f"can't convert {NAME}:0 device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )

    __array__ = numpy

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 else object.__format__(self, spec)

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, operator, types, arguments=(), options=None):
        return _run(operator, arguments, options or {})


class FakeAccelerator(TorchDispatchMode):
    """In this context, `device="fakegpu"` works."""

    def __init__(self) -> None:
        register()
        super().__init__()

    def __enter__(self) -> "FakeAccelerator":
        torch.Generator = _Generator
        # torch.tensor(…, device=…) must build on the CPU and then move
        self._lift = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        return super().__enter__()

    def __exit__(self, *reason: Any) -> None:
        torch.Generator = _RealGenerator
        torch._C._set_only_lift_cpu_tensors(self._lift)
        super().__exit__(*reason)

    def __torch_dispatch__(self, operator, types, arguments=(), options=None):
        return _run(operator, arguments, options or {})


def _run(operator: Any, arguments: tuple, options: dict) -> Any:
    """One operator: refuse what CUDA refuses, compute on the CPU, wrap what stays on the device."""
    flat, structure = tree_flatten((arguments, options))
    reads_device = any(isinstance(value, DeviceTensor) for value in flat)
    wanted = options.get("device")
    if wanted is not None:
        answers_there = torch.device(wanted).type == NAME
    elif operator is aten.copy_.default:
        answers_there = isinstance(arguments[0], DeviceTensor)
    else:
        answers_there = reads_device
    _refuse_two_devices(operator, arguments, flat, reads_device)
    _refuse_foreign_generator(options.get("generator"), answers_there)
    plain_arguments, plain_options = tree_unflatten([_plain(value) for value in flat], structure)
    answer = CELLS.get(operator, operator)(*plain_arguments, **plain_options)
    stays_plain = {aten._local_scalar_dense.default, aten.is_same_size.default}
    if not answers_there or operator in stays_plain:
        return answer
    answer = tree_map(_wrapped, answer)
    written = (argument.alias_info for argument in operator._schema.arguments)
    if any(alias is not None and alias.is_write for alias in written):
        return return_and_correct_aliasing(operator, arguments, options, answer)
    return answer


def _refuse_two_devices(operator: Any, arguments: tuple, flat: list, reads_device: bool) -> None:
    if not reads_device:
        return
    if operator in (aten.index.Tensor, aten._unsafe_index.Tensor):
        if not isinstance(arguments[0], DeviceTensor):
            raise RuntimeError(
                "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
            )
    if operator in READS_TWO_DEVICES:
        return
    for value in flat:
        if isinstance(value, Tensor) and not isinstance(value, DeviceTensor) and value.dim() > 0:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{NAME}:0 and {value.device}! (in {operator})"
            )


def _refuse_foreign_generator(generator: Any, answers_there: bool) -> None:
    if generator is not None and (generator._cdata in _on_device) != answers_there:
        wanted, found = (NAME, "cpu") if answers_there else ("cpu", NAME)
        raise RuntimeError(f"Expected a '{wanted}' device type for generator but found '{found}'")


def _plain(value: Any) -> Any:
    if isinstance(value, DeviceTensor):
        return value.value
    if isinstance(value, torch.device) and value.type == NAME:
        return torch.device("cpu")
    return value


def _wrapped(value: Any) -> Any:
    plain = isinstance(value, Tensor) and not isinstance(value, DeviceTensor)
    return DeviceTensor(value) if plain else value

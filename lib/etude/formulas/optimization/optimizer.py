"""The thin class around a rule, with torch.optim's protocol.

Chapter: formulas/optimization
"""

import inspect
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from etude.core.shapes import check_float
from etude.formulas.optimization.first_order import State
from etude.formulas.optimization.tensor_list import TensorList, assign, pieces

__all__ = ["Optimizer"]

COUNTS = {"step": int, "mu_product": float}  # the plain numbers in a state; torch has tensors
BELOW_ONE = {"alpha", "betas"}  # weights of running means
NOT_NEGATIVE = {"lr", "eps", "momentum", "weight_decay", "lr_decay", *BELOW_ONE}


class Optimizer:
    """A rule, the parameters that it moves, and what it remembers of each of them.

    `params` are tensors, or groups `{"params": tensors, option: value, …}` with options of their
    own; `lr` may be a schedule, a function of the number of steps taken. What `state_dict` returns
    is laid out as in torch.optim, and either loads the other's. `state` holds what is remembered of
    each parameter, by its number.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        rule: Callable[..., tuple[Any, State]],
        **options: Any,
    ) -> None:
        wanted = list(inspect.signature(rule).parameters.values())[3:]
        self.rule, self.steps = rule, 0
        self.options = {one.name: options.get(one.name, one.default) for one in wanted}
        self._refuse_unknown(options)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, State] = {}
        given = list(params)
        if not given:
            raise ValueError("params is empty: a generator that was passed through before?")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)  # pyright: ignore[reportArgumentType]

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Take more parameters, with options of their own where they are given."""
        own = {name: value for name, value in group.items() if name != "params"}
        self._refuse_unknown(own)
        params = [group["params"]] if isinstance(group["params"], Tensor) else group["params"]
        params, options = list(params), self.options | own
        for name, value in options.items():
            check_option(name, value)
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for p in params:
            check_float(params=p)
            if not p.is_leaf:
                raise ValueError("params holds a tensor that was computed; only leaves can move")
            if id(p) in known:
                raise ValueError("params holds a tensor twice")
            known.add(id(p))
        self.param_groups.append({"params": params, **options})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: backward adds to what is there."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = torch.zeros_like(p.grad)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move every parameter that has a gradient; with a `closure`, compute the loss first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        first = 0
        for group in self.param_groups:
            options = {name: group[name] for name in self.options} | {"lr": self.rate(group)}
            for part in self._alike(enumerate(group["params"], first)):
                self._move(list(part), list(part.values()), options)
            first += len(group["params"])
        self.steps += 1
        return loss

    def _move(self, numbers: list[int], params: list[Tensor], options: dict[str, Any]) -> None:
        """One step of parameters that are alike."""
        states = [self.state.get(number, {}) for number in numbers]
        names = [name for name in states[0] if name not in COUNTS]
        counts = {name: value for name, value in states[0].items() if name in COUNTS}
        columns = [params, [p.grad for p in params], *([s[name] for s in states] for name in names)]
        cut = numbers[0] in self.state and params[0].device.type == "cpu"
        for part in pieces(columns) if cut else [columns]:
            p, g, *memory = map(TensorList, part)
            moved, new = self.rule(p, g, counts | dict(zip(names, memory, strict=True)), **options)
            assign(p.tensors, moved.tensors)
            if cut:
                for name, old in zip(names, memory, strict=True):
                    assign(old.tensors, new[name].tensors)
        if cut:
            for state in states:
                state |= {name: new[name] for name in counts}
        else:
            self.state.update(zip(numbers, parted(new, len(params)), strict=True))

    def rate(self, group: dict[str, Any]) -> float:
        """The learning rate of a group in the step that comes now."""
        lr = group["lr"]
        return float(lr(self.steps)) if callable(lr) else lr  # pyright: ignore[reportArgumentType]

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on later: parameters by their number, no functions."""
        count, groups = itertools.count(), []
        for group in self.param_groups:
            places = [next(count) for _ in group["params"]]
            groups.append(group | {"lr": self.rate(group), "params": places})
        state = {number: dict(state) for number, state in self.state.items() if state}
        return {"state": state, "param_groups": groups, "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; a schedule stays, options and memory are taken over.

        Raises:
            ValueError: the groups hold other numbers of parameters.
        """
        sizes = [len(group["params"]) for group in state_dict["param_groups"]]
        ours = [len(group["params"]) for group in self.param_groups]
        if sizes != ours:
            raise ValueError(f"state_dict has groups of {sizes} parameters, expected {ours}")
        places = [i for group in state_dict["param_groups"] for i in group["params"]]
        for mine, theirs in zip(self.param_groups, state_dict["param_groups"], strict=True):
            kept = {"params", "lr"} if callable(mine["lr"]) else {"params"}
            mine.update({k: theirs[k] for k in self.options.keys() - kept if k in theirs})
        params = [p for group in self.param_groups for p in group["params"]]
        self.state = {
            number: {k: here(k, v, p) for k, v in state.items() if v is not None}
            for number, (place, p) in enumerate(zip(places, params, strict=True))
            if (state := state_dict["state"].get(place))
        }
        reached = [state.get("step", 0) for state in self.state.values()]
        self.steps = state_dict.get("steps", max(reached, default=0))

    def _alike(self, numbered: Iterable[tuple[int, Tensor]]) -> Iterable[dict[int, Tensor]]:
        """Those with a gradient, split by device, type and all counts: one call serves each part."""
        parts: dict[tuple, dict[int, Tensor]] = {}
        for number, p in numbered:
            if p.grad is not None:
                memory = self.state.get(number)
                counts = [memory[k] for k in memory if k in COUNTS] if memory else []
                kind = p.device, p.dtype, memory is None, *counts
                parts.setdefault(kind, {})[number] = p
        return parts.values()

    def _refuse_unknown(self, options: dict[str, Any]) -> None:
        unknown = options.keys() - self.options.keys()
        if unknown:
            raise TypeError(
                f"{self.rule.__name__} has no option {', '.join(sorted(unknown))}; "
                f"it has {', '.join(self.options)}"
            )


def parted(state: State, count: int) -> list[State]:
    """The state of many as `count` states."""
    return [
        {k: v.tensors[i] if isinstance(v, TensorList) else v for k, v in state.items()}
        for i in range(count)
    ]


def here(name: str, value: Any, p: Tensor) -> Any:
    """A copy of an entry of a state, where and as its parameter is; counts as plain numbers."""
    return COUNTS[name](value) if name in COUNTS else value.detach().clone().to(p)


def check_option(name: str, value: Any) -> None:
    """Refuse an option that no step could use."""
    if value is inspect.Parameter.empty:
        raise TypeError(f"{name} is missing: the rule has no default for it")
    if callable(value) or name not in NOT_NEGATIVE:
        return
    top = 1.0 if name in BELOW_ONE else math.inf
    for number in value if isinstance(value, tuple | list) else [value]:
        if not 0 <= number < top:
            raise ValueError(f"{name} must lie in [0, {top}), got {value}")

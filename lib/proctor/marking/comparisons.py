"""What a check may ask of a value: equal, in agreement, good enough, tidy; and which misconception gives what came."""

import contextlib
import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from proctor.marking import conduct, values
from proctor.marking.guard import off_the_clock
from proctor.marking.student import Student
from proctor.marking.words import Wrong


class Comparisons:
    """The verbs of a check; each raises Wrong, with the likely cause."""

    sentences: dict[str, str]  # every misconception, by key
    mistaken: dict[
        str, dict[str, Callable]
    ]  # the functions that have them, by the student's function

    def equal(
        self,
        got: object,
        expected: object,
        unless: dict[str, object] | None = None,
        *,
        name: str = "",
        tolerance: float = 1e-4,
    ) -> None:
        """Fail unless `got` has the shape and the values of `expected`; type and dtype are `tidy`'s matter.

        `unless` maps a misconception's key to the value that it gives, so that the message can name it;
        a function instead of a value is called only then.
        """

        def causes(came: Tensor) -> str:
            return self.named(came, (unless or {}).items(), tolerance)

        values.compare(got, expected, tolerance, name, causes)

    def named(self, came: Tensor, known: Iterable[tuple[str, object]], tolerance: float) -> str:
        """What the misconceptions say whose value came: the nearest, or all that are equally near."""
        gaps: dict[str, float] = {}
        for key, given in known:
            with contextlib.suppress(Exception), off_the_clock():
                value = given() if callable(given) else given
                if values.alike(came, value, tolerance):
                    gaps[key] = values.gap(came, value)
        nearest = min(gaps.values(), default=0.0)
        said = [
            self.sentences.get(key, key) for key, gap in gaps.items() if gap <= 3 * nearest + 1e-6
        ]
        return "; or: ".join(said)

    def agree(
        self,
        function: Student,
        expected: object,
        *args: object,
        name: str | tuple[str, ...] = "",
        parts: tuple[int, ...] = (),
        tolerance: float = 1e-4,
        **named: object,
    ) -> None:
        """Fail unless `function` gives on these arguments what `expected` gives, or is.

        Only when it fails is every misconception tried on the same arguments: the one that gives what
        came is named. Tuples are compared element by element, `name` then holds a name for each;
        `parts` are the places that this check looks at.
        """

        def call(other: Callable) -> Any:
            return other(*conduct.copied(args), **conduct.copied(named))

        got = function(*args, **named)
        with off_the_clock():
            wanted = call(expected) if callable(expected) else expected
        if not isinstance(wanted, tuple):
            got, wanted = self.only(got, parts), self.only(wanted, parts)
            names, places = (name if isinstance(name, str) else "",), (None,)
        else:
            names = name if isinstance(name, tuple) else (name,) * len(wanted)
            places = parts or range(len(wanted))
            kind = (
                f"{len(got)} values"
                if isinstance(got, (tuple, list))
                else f"one {type(got).__name__}"
            )
            if not isinstance(got, (tuple, list)) or len(got) != len(wanted):
                raise Wrong(kind, f"{len(wanted)} values: {', '.join(filter(None, names))}")

        def value_of(mistaken: Callable, place: int | None) -> Any:
            value = call(mistaken)
            return self.only(value, parts) if place is None else value[place]

        def causes(place: int | None, came: Tensor) -> str:
            mistaken = self.mistaken[function.name].items()
            known = ((key, functools.partial(value_of, one, place)) for key, one in mistaken)
            return self.named(came, known, tolerance)

        for place in places:
            pair = (got, wanted) if place is None else (got[place], wanted[place])
            values.compare(*pair, tolerance, names[place or 0], functools.partial(causes, place))

    @staticmethod
    def only(value: Any, parts: tuple[int, ...]) -> Any:
        """The entries of a tensor that a check looks at; anything else as it is."""
        try:
            made = values.tensor(value) if parts else None
        except (TypeError, ValueError, RuntimeError):
            return value
        if made is None or not made.ndim or len(made) <= max(parts):
            return value
        return made[list(parts)]

    def at_least(self, value: object, threshold: float, *known: dict, **named: Any) -> None:
        """Fail unless a trained result is good enough; see `bounded` for what else it takes."""
        self.bounded(operator.ge, "least", value, threshold, *known, **named)

    def at_most(self, value: object, threshold: float, *known: dict, **named: Any) -> None:
        """Fail unless a trained result, a loss or an error, is small enough."""
        self.bounded(operator.le, "most", value, threshold, *known, **named)

    def bounded(
        self,
        holds: Callable[[float, float], bool],
        word: str,
        value: object,
        threshold: float,
        unless: dict[str, object] | None = None,
        *,
        name: str = "the result",
        tolerance: float = 0.02,
    ) -> None:
        """Fail unless a number keeps to its side of a threshold; `unless` as in `equal`."""
        came = values.number(value, name)
        if not holds(came, threshold):
            cause = self.named(torch.tensor(came).double(), (unless or {}).items(), tolerance)
            raise Wrong(f"{name} = {came:.4g}", f"at {word} {threshold:g}", cause)

    def gradient(self, function: Student, x: Tensor, *rest: object) -> Tensor:
        """The gradient of the sum of function(x, …) with respect to x."""
        return conduct.gradient(function.run, x, rest)

    def tidy(self, function: Student, *arguments: object) -> None:
        """Fail unless `function` leaves its arguments alone and follows their type, dtype, layout and device."""
        conduct.tidy(function.run, arguments)

"""The checker of annotated shapes that the tests put before every function of the library."""

from collections.abc import Callable

from beartype import beartype


def checked(function: Callable) -> Callable:
    """Check arguments and results; not of functions made inside others, which would be prepared at each call."""
    return function if "<locals>" in function.__qualname__ else beartype(function)

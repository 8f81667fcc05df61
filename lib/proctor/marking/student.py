"""A student's function as the checks see it."""

import functools
from typing import TYPE_CHECKING, Any

from proctor.marking import conduct
from proctor.marking.words import Wrong, show

if TYPE_CHECKING:
    from proctor.marking.task import Task


class Student:
    """Called by a check, it gets copies and never sees the graded cell."""

    def __init__(self, name: str, task: "Task") -> None:
        self.name, self.task, self.raw = name, task, task.before.get(name)

    def __call__(self, *args: object, **named: object) -> Any:
        """Call the function on copies, and remember the call for the message."""
        self.task.call = functools.partial(self.described, args, named)
        return self.run(*conduct.copied(args), **conduct.copied(named))

    def run(self, *args: object, **named: object) -> Any:
        """Call the function as it is, with the notebook's names as they were."""
        if not callable(self.raw):
            cause = "its cell was not run or failed, or the function has another name or stands inside a class"
            raise Wrong(f"no function named `{self.name}`", likely=cause)
        self.task.put_away()
        try:
            return self.raw(*args, **named)
        finally:
            self.task.world.update(self.task.cell)

    def described(self, args: tuple, named: dict[str, object]) -> str:
        """The call, in one line."""
        shown = [show(a, 8) for a in args] + [f"{key}={show(a, 8)}" for key, a in named.items()]
        return f"{self.name}({', '.join(shown)})"

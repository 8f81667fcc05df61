"""What a graded cell needs: `from proctor.marking import Task`."""

from proctor.marking.task import Task

__all__ = ["Task"]

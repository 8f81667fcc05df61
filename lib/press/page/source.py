"""The source of a member of the library, looked up by import as Python itself would."""

import functools
import importlib
import inspect
from pathlib import Path
from textwrap import dedent


def quote(module: str, names: list[str]) -> tuple[str, set[Path]]:
    """The source of `names`, one below the other, and the files that it stands in.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has no such member, or a member without source.
    """
    home = importlib.import_module(module)
    texts, files = [], set()
    for name in names:
        try:
            member = inspect.unwrap(functools.reduce(getattr, name.split("."), home))
            texts.append(dedent(inspect.getsource(member)).strip())
        except AttributeError:
            raise AttributeError(f"{module} has no member {name}") from None
        except (TypeError, OSError):
            raise AttributeError(f"{module}.{name} has no source to quote") from None
        files.add(Path(inspect.getsourcefile(member) or ""))
    return "\n\n\n".join(texts), files

"""What to know of a data set before trusting a result on it."""

from dataclasses import dataclass, fields

__all__ = ["Card"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A data set's label, as on a bottle: what is in it, who made it, what it is not for."""

    name: str
    source: str
    license: str
    rows: str
    fields: dict[str, str]
    made_by: str
    cautions: tuple[str, ...]

    def __post_init__(self) -> None:
        empty = [field.name for field in fields(self) if not getattr(self, field.name)]
        if empty:
            raise ValueError(f"a card says everything, nothing is said of {', '.join(empty)}")

    def _repr_markdown_(self) -> str:
        held = "".join(f"\n  - `{name}`: {meaning}" for name, meaning in self.fields.items())
        cautions = "".join(f"\n  - {caution}" for caution in self.cautions)
        return (
            f"**{self.name}**\n\n"
            f"- Source: {self.source}\n"
            f"- License: {self.license}\n"
            f"- Rows: {self.rows}\n"
            f"- Fields:{held}\n"
            f"- Made by: {self.made_by}\n"
            f"- Cautions:{cautions}\n"
        )

    __str__ = _repr_markdown_

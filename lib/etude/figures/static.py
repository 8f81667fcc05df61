"""Pictures and tables of a chapter: one call each, with a name, an alt text and a caption."""

import io
from html import escape

import numpy as np
import torch
from IPython.display import HTML, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from .svg import element, write

WIDTH = {1: 440, 2: 340}  # a panel fits a phone; two stand side by side on a desk
NARROW = 240  # three or more


def panels(number: int = 1, height: int = 0, width: int = 0) -> Axes | list[Axes]:
    """Axes, each on a figure of its own, so that they wrap on a narrow screen; sizes in pixels."""
    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}")
    width = width or WIDTH.get(number, NARROW)
    size = width / 72, (height or width * 0.66) / 72
    axes = [Figure(size).subplots() for _ in range(number)]
    return axes if number > 1 else axes[0]


def raster(ax: Axes, values: ArrayLike, title: str = "", **options) -> None:
    """A picture made of squares; its frame parts it from a page of any color."""
    ax.imshow(torch.as_tensor(values).detach().cpu().numpy(), **options)
    ax.set(xticks=[], yticks=[], title=title)
    for spine in ax.spines.values():
        spine.set(visible=True, alpha=0.5, linewidth=1)


def whole(ax: Axes) -> Figure:
    """The figure around the axes of a panel."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes have left their figure")
    return figure


def frame(drawn: str, alt: str) -> str:
    """Panels that wrap, as one picture with one name; the style in place is for JupyterLab."""
    style = "display:flex;flex-wrap:wrap;gap:1rem"
    label = escape(alt)
    return (
        f'<div class="etude-panels" role="img" aria-label="{label}" style="{style}">{drawn}</div>'
    )


def picture(axes: list[Axes], name: str, alt: str) -> str:
    """Panels as inline SVG in one named frame."""
    drawn = "".join(write(element(whole(ax), f"{name}{i}")) for i, ax in enumerate(axes))
    return frame(drawn, alt)


def png(axes: list[Axes]) -> bytes:
    """The same panels as one bitmap, for PDF and for viewers that show no HTML."""
    bitmaps = []
    for ax in axes:
        out = io.BytesIO()
        whole(ax).savefig(out, format="png", dpi=144, facecolor="white")
        bitmaps.append(Image.open(out).convert("RGB"))
    size = sum(b.width for b in bitmaps), max(b.height for b in bitmaps)
    sheet, left = Image.new("RGB", size, "white"), 0
    for bitmap in bitmaps:
        sheet.paste(bitmap, (left, 0))
        left += bitmap.width
    out = io.BytesIO()
    sheet.quantize(64).save(out, "png", optimize=True)
    return out.getvalue()


def publish(html: str, axes: list[Axes], name: str, alt: str, caption: str) -> None:
    """Display one figure as HTML, as a bitmap, and as its alt text."""
    for word, text in {"name": name, "alt": alt, "caption": caption}.items():
        if not text.strip():
            raise ValueError(f"{word} must say something, got {text!r}")
    figure = (
        f'<figure class="etude" data-name="{escape(name)}" aria-label="{escape(alt)}">'
        f"{html}<figcaption>{caption}</figcaption></figure>"
    )
    display({"text/html": figure, "image/png": png(axes), "text/plain": alt}, raw=True)


def show(*axes: Axes, name: str, alt: str, caption: str) -> None:
    """Show panels as one numbered figure. `alt` says what it shows to whoever cannot see it."""
    publish(picture(list(axes), name, alt), list(axes), name, alt, caption)


def table(columns: list[str], rows: list[list], caption: str) -> HTML:
    """A table whose first column names the rows; it scrolls inside itself."""

    def cell(value) -> str:
        if isinstance(value, (float, np.floating)):
            value = f"{value:.3g}".replace("-", "−")
        return escape(str(value))

    def row(first, *rest) -> str:
        cells = "".join(f"<td>{cell(value)}</td>" for value in rest)
        return f'<tr><th scope="row">{cell(first)}</th>{cells}</tr>'

    head = "".join(f'<th scope="col">{cell(c)}</th>' for c in columns)
    body = "".join(row(*values) for values in rows)
    title = escape(caption)
    return HTML(
        f'<div class="etude-table" role="region" aria-label="{title}" tabindex="0"><table>'
        f"<caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def cost() -> HTML:
    """What this kernel has used so far: the last cell of every chapter."""
    import resource  # not on Windows, where the rest of this module works

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    text = f"{seconds:.1f} s of CPU time, {megabytes:.0f} MB of memory at the peak"
    return HTML(f'<p class="cost">{text}</p>')

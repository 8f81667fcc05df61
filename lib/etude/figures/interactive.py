"""Interactive figures that need no kernel: every frame is drawn beforehand."""

import json
from collections.abc import Callable
from html import escape
from pathlib import Path

import ipywidgets as widgets
from matplotlib.axes import Axes

from .static import frame, picture, publish, whole
from .svg import element, merge, write

# JupyterLab must leave the arrow keys and the space bar to the control.
MINE = 'data-lm-suppress-shortcuts="true"'
SCRIPT = Path(__file__).with_name("player.js").read_text("utf8").strip()
ROW = "display:flex;flex-wrap:wrap;gap:.8rem;align-items:center"


def play(
    draw: Callable[[int], Axes | list[Axes]],
    labels: list[str],
    *,
    name: str,
    alt: str,
    caption: str,
    slider: str = "Step",
    start: int = 0,
) -> None:
    """A slider and a Play button over `draw(0) … draw(n − 1)`; `labels` say each frame in words.

    What all frames share is stored once, so draw the same artists every time and change their data.
    The result is self-contained HTML: the same in the book, in JupyterLab and in a saved notebook.

    Raises:
        ValueError: there are no labels, or `start` is not the number of a frame.
    """
    if not 0 <= start < len(labels):
        raise ValueError(f"start must be one of {len(labels)} frames, got {start}")
    frames = [panels_of(draw(i)) for i in range(len(labels))]
    drawn = "".join(
        write(merge([element(whole(ax), f"{name}{k}") for ax in panel], start))
        for k, panel in enumerate(zip(*frames, strict=True))
    )
    title, now = escape(slider), escape(labels[start])
    html = (
        f'<div class="etude-player" role="group" aria-label="{title}: interactive figure">'
        f'{frame(drawn, alt)}<div class="etude-controls" style="{ROW}">'
        f'<button type="button" {MINE}>Play</button>'
        f'<input type="range" {MINE} min="0" max="{len(labels) - 1}" value="{start}" '
        f'aria-label="{title}" aria-valuetext="{now}">'
        f'<span aria-hidden="true">{now}</span></div></div>'
        f"<script>{SCRIPT}({json.dumps(labels, ensure_ascii=False)})</script>"
    )
    publish(html, frames[start], name, alt, caption)


def panels_of(drawn: Axes | list[Axes]) -> list[Axes]:
    """One panel or several, as a list."""
    return [drawn] if isinstance(drawn, Axes) else list(drawn)


def choose(label: str, pictures: dict[str, tuple[Axes, str]]) -> widgets.VBox:
    """A menu over ready pictures `{option: (axes, alt)}`, as ipywidgets linked in the browser."""
    frames = [
        widgets.HTML(picture([ax], f"{label}-{key}", alt)) for key, (ax, alt) in pictures.items()
    ]
    menu = widgets.Dropdown(options=list(pictures), index=0, description=label)
    stack = widgets.Stack(frames, selected_index=0)
    widgets.jslink((menu, "index"), (stack, "selected_index"))
    return widgets.VBox([menu, stack])

"""Pictures of a class as inline SVG: they follow the page's colors, and say in words what they show."""

import math
from collections import Counter

from markupsafe import Markup

from proctor.report.paper import number
from proctor.report.statistics import Figures

WIDTH, HEIGHT = 360, 170  # drawn for a phone, where 12 pixels stay 12
LEFT, BOTTOM, TOP = 26, 24, 16


def histogram(totals: list[float], most: float) -> Markup:
    """How many submissions have how many points."""
    step = next((s for s in (0.5, 1, 2, 5, 10, 20) if most / s <= 20), math.ceil(most / 20))
    bins = max(1, math.ceil(most / step - 1e-9))
    counts = Counter(min(bins - 1, max(0, int(total // step))) for total in totals)
    highest, width = max(counts.values(), default=1), (WIDTH - LEFT - 6) / bins
    tall = HEIGHT - BOTTOM - TOP
    parts = []
    for at in range(bins):
        high = tall * counts[at] / highest
        x, y = LEFT + at * width, TOP + tall - high
        parts.append(
            f'<rect class="full" x="{x + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{high:.1f}"/>'
        )
    ends = [at * step for at in range(bins + 1) if at in (0, bins // 2, bins)]
    for end in ends:
        x = LEFT + end / step * width
        anchor = "start" if not end else "end" if end == ends[-1] else "middle"
        words = number(min(end, most))
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{words}</text>')
    parts.append(f'<text x="{LEFT - 5}" y="{TOP + 10}" text-anchor="end">{highest}</text>')
    middle = sorted(totals)[len(totals) // 2] if totals else 0
    says = (
        f"How many submissions have how many of {number(most)} points, in steps of {number(step)}: "
        f"the highest column holds {highest}, half of the class has at least {number(middle)}."
    )
    return _svg("histogram", f"0 0 {WIDTH} {HEIGHT}", says, "".join(parts))


def bar(share: float, says: str) -> Markup:
    """One share of a whole."""
    inside = '<rect class="track" width="100" height="10"/>'
    inside += f'<rect class="part" width="{100 * share:.2f}" height="10"/>'
    return _svg("bar", "0 0 100 10", says, inside, stretched=True)


def outcome(one: Figures) -> Markup:
    """What became of an exercise: all points, some, none, waiting, untouched."""
    kinds = {
        "full": (one.full, "have all points"), "part": (one.partial, "have some"), "none": (one.none, "have none"),
        "wait": (one.waiting, "wait for a person"), "blank": (one.untouched, "left it untouched"),
    }  # fmt: skip
    whole, at, parts = sum(count for count, _ in kinds.values()) or 1, 0.0, []
    for name, (count, _) in kinds.items():
        wide = 100 * count / whole
        parts.append(f'<rect class="{name}" x="{at:.2f}" width="{wide:.2f}" height="10"/>')
        at += wide
    words = ", ".join(f"{count} {what}" for count, what in kinds.values() if count)
    return _svg(
        "bar", "0 0 100 10", f"{one.question.name}: {words}.", "".join(parts), stretched=True
    )


def _svg(name: str, box: str, says: str, inside: str, stretched: bool = False) -> Markup:
    # everything from outside is in `says`, which is escaped; the rest is numbers
    free = Markup(' preserveAspectRatio="none"') if stretched else ""
    return Markup('<svg class="{}" role="img" aria-label="{}" viewBox="{}"{}>{}</svg>').format(
        name, says, box, free, Markup(inside)
    )

"""A matplotlib figure as inline SVG that takes its colors and its text face from the page.

Light, dark and print need one picture, not three: ink becomes `currentColor`, the color of a series
a CSS variable. Where no stylesheet defines the variables (JupyterLab), the fallbacks hold on white
and on black.
"""

import copy
import io
import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

INK, PAPER = "#010203", "#fcfdfe"
SERIES = ["#2f76b5", "#b8601a", "#2f8560", "#9659b5", "#8a7410", "#c04a5e"]
LOOK = {
    "svg.fonttype": "none",
    "figure.dpi": 72,  # one unit of the SVG is one CSS pixel
    "figure.constrained_layout.use": True,
    "font.size": 13,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(
        color=SERIES, linestyle=["-", "--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 1))]
    ),
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.13,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "none",
    "mathtext.fontset": "dejavuserif",
    **dict.fromkeys(
        ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK
    ),
}
COLORS = {INK: "currentColor", PAPER: "var(--etude-paper, Canvas)"} | {
    color: f"var(--etude-{i}, {color})" for i, color in enumerate(SERIES, 1)
}
# Artists read their look when they are made, so the setting is global.
mpl.rcParams.update(LOOK)  # pyright: ignore[reportArgumentType, reportCallIssue]
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


def element(figure: Figure, salt: str) -> ET.Element:
    """Draw, then drop what a page does not need: metadata, ids of groups, font lists."""
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = re.sub(r"font-family:[^;\"]*;? ?", "", out.getvalue())
    text = re.sub("|".join(COLORS), lambda match: COLORS[match[0]], text)
    text = re.sub(r"(\d+\.\d\d)\d+", r"\1", text)
    root = ET.fromstring(text)
    for parent in list(root.iter()):
        parent.tag = parent.tag.removeprefix(SVG)
        if parent.tag == "g":
            parent.attrib.pop("id", None)
        if XLINK + "href" in parent.attrib:
            parent.set("href", parent.attrib.pop(XLINK + "href").replace("\n", ""))
        if "d" in parent.attrib:
            parent.set("d", " ".join(parent.attrib["d"].split()))
        for child in list(parent):
            child.tail = None
            if child.tag.endswith("metadata") or child.find(f"{SVG}style") is not None:
                parent.remove(child)
        if not (parent.text or "").strip():
            parent.text = None
    box = root.attrib["viewBox"].split()
    root.attrib = {
        "width": box[2],
        "height": box[3],
        "viewBox": " ".join(box),
        "style": "stroke-linejoin:round",
        "aria-hidden": "true",
    }
    return root


def write(root: ET.Element) -> str:
    """The element as text."""
    return ET.tostring(root, encoding="unicode")


def merge(frames: list[ET.Element], shown: int = 0) -> ET.Element:
    """One element for all frames: what they share once, what differs as `<g data-f="frames">`."""
    texts = [write(frame) for frame in frames]
    if len(set(texts)) == 1:
        return frames[0]
    heads = {(f.tag, f.text, tuple(f.attrib.items()), len(f)) for f in frames}
    if len(heads) == 1 and len(frames[0]) and frames[0].tag != "defs":
        out = copy.copy(frames[0])
        out[:] = [merge([frame[k] for frame in frames], shown) for k in range(len(out))]
        return out
    out = ET.Element("g")
    for text in dict.fromkeys(texts):
        where = [i for i, other in enumerate(texts) if other == text]
        variant = ET.SubElement(out, "g", {"data-f": " ".join(map(str, where))})
        if shown not in where:
            variant.set("style", "display:none")
        variant.append(frames[where[0]])
    return out

"""A small sound page with one of everything, and the ways in which it is spoilt."""

from pathlib import Path

from press.layout import ROOT

PAGE_JS = (ROOT / "book" / "_static" / "page.js").read_text("utf8")
PLAYER_JS = (ROOT / "lib" / "etude" / "figures" / "player.js").read_text("utf8").strip()
WORDS = (
    "Every line of this paragraph holds some seventy characters, as a book that is kind to eyes. "
)
PAGE = (Path(__file__).with_name("sound.html").read_text("utf8")).replace("WORDS", WORDS * 5)
PAGE = PAGE.replace("PAGE_JS", PAGE_JS).replace("PLAYER_JS", PLAYER_JS)

HERE = "<!-- here -->"
BLOCK = "'<div style=\"height:300px\"></div>'"
LATER = f"() => document.querySelector('h1').insertAdjacentHTML('afterend', {BLOCK})"

# What is wrong → the kinds of faults that must be found, what is replaced, by what.
SEEN: dict[str, tuple[set[str], str, str]] = {
    "a foreign picture": ({"foreign"}, HERE, '<img alt="dot" src="https://example.org/dot.png">'),
    "a foreign style": (
        {"foreign"},
        "</style>",
        '</style><link rel="stylesheet" href="https://example.org/a.css">',
    ),
    "a missing file": ({"missing"}, HERE, '<img alt="dot" src="nowhere.png">'),
    "a complaint": ({"trouble"}, HERE, "<script>console.error('broken')</script>"),
    "an exception": ({"trouble"}, HERE, "<script>throw new Error('broken')</script>"),
    "pale text": ({"axe"}, HERE, '<p style="color: #bbb">pale</p>'),
    "a slider without a name": ({"axe"}, HERE, '<input type="range">'),
    "a wide box": ({"sideways"}, HERE, '<div style="width: 900px">box</div>'),
    "TeX that does not parse": ({"tex"}, "\\[y = x\\]", "\\[\\frac{1\\]"),
    "an unknown TeX command": ({"tex"}, "\\[y = x\\]", "\\[\\unheard{x}\\]"),
    "a picture without words": ({"axe", "pictures"}, HERE, '<img src="_static/favicon.svg">'),
    "a panel without words": ({"axe", "pictures"}, ' aria-label="A digit that grows"', ""),
    "a late block": (
        {"shift"},
        HERE,
        f"<script>setInterval({LATER}, 100)</script>",
    ),
    "a block that comes with scrolling": (
        {"shift"},
        HERE,
        "<style>html { overflow-anchor: none }</style>"
        + f"<p>{WORDS}</p>" * 40
        + f"<script>addEventListener('scroll', {LATER}, {{once: true}})</script>",
    ),
    "a heavy script": ({"weight"}, HERE, '<script src="heavy.js"></script>'),
    "long lines": ({"measure"}, "<p>", '<p style="max-width: none">'),
    "short lines": ({"measure"}, "<p>", '<p style="max-width: 20rem">'),
}
# As above, but seen only in the dark, on a phone or on paper.
ELSEWHERE: dict[str, tuple[set[str], str, str]] = {
    "dark text by night": (
        {"axe"},
        "</style>",
        "[data-theme=dark] p { color: #444 !important }</style>",
    ),
    "pale text on a phone": (
        {"axe"},
        "</style>",
        "@media (width < 600px) { p { color: #bbb } }</style>",
    ),
    "a hint that stays folded on paper": ({"paper"}, "part.open = true;", ""),
    "an explanation that is lost on paper": (
        {"paper"},
        "</style>",
        "@media print { .quiz { display: none } }</style>",
    ),
}
# What a player does wrong → a word of what is said about it, what is replaced, by what.
PLAYED: dict[str, tuple[str, str, str]] = {
    "the slider is silent": (
        "in words",
        'slider.setAttribute("aria-valuetext", text.textContent = labels[i])',
        "",
    ),
    "frames pile up": ("parts are shown", 'frames.has(i) ? "" : "none"', '""'),
    "frames vanish": ("parts are shown", 'frames.has(i) ? "" : "none"', '"none"'),
    "the last frame is out of reach": (
        "End led to",
        'max="3"',
        'max="3" onkeydown="event.key === \'End\' && event.preventDefault()"',
    ),
    "Play does nothing": ("Play does not move", "timer = setInterval(tick, 350)", "timer = 1"),
    "Play cannot be reached": (
        "stop before the slider",
        '<button type="button">',
        '<button type="button" tabindex="-1">',
    ),
    "motion is not reduced": ("reduced motion", "still.matches", "false"),
}
# The same of a quiz.
ANSWERED: dict[str, tuple[str, str, str]] = {
    "explanations are given away": (
        "before there is an answer",
        "</style>",
        ".why { display: block !important }</style>",
    ),
    "a wrong answer tells all": (
        "its own explanation alone",
        "right ? options : picked",
        "options",
    ),
    "a right answer tells half": ("all explanations", "right ? options : picked", "picked"),
    "a wrong answer is called right": (
        "called right",
        "const right = options",
        "const right = true || options",
    ),
    "the answer is forgotten": ("forgot", "localStorage.setItem", "void "),
    "the quiz is deaf to Enter": (
        "called nothing",
        'form.addEventListener("submit"',
        'form.addEventListener("never"',
    ),
}
# What a link does wrong → a word of what is said about it, what is replaced, by what.
LINKED: dict[str, tuple[str, str, str]] = {
    "a dead anchor": ("no such anchor", 'href="#top"', 'href="#bottom"'),
    "a dead link": ("no such file", 'href="#top"', 'href="nowhere.html"'),
    "a link out of the site": ("no such file", 'href="#top"', 'href="../outside.html"'),
    "a script of another host": (
        "another host",
        HERE,
        '<script src="//example.org/a.js"></script>',
    ),
    "code that is not linked": ("is no link", HERE, '<span class="c1"># Eq. (sum)</span>'),
    "code that leads nowhere": (
        "leads to no equation",
        'href="#equation-sum"',
        'href="#equation-gone"',
    ),
    "an equation without its code": ("no link to its code", 'class="eq-code"', 'class="other"'),
    "code of another equation": ("does not lead back", 'href="#code-sum"', 'href="#top"'),
}


def spoilt(old: str, new: str) -> str:
    """The page with every `old` replaced; it must be there."""
    assert old in PAGE, f"nothing to spoil: {old}"
    return PAGE.replace(old, new if old != HERE else new + HERE)


def plant(folder: Path, name: str, html: str) -> str:
    """Write a page and return where it is."""
    at = name.replace(" ", "-") + ".html"
    (folder / at).write_text(html, "utf8")
    return at

"""What the house costs when it is full: a copy with a synthetic chapter for every other slug.

    python benchmarks/growth.py FOLDER [--chapters 45] [--test]

Each synthetic chapter is a copy of a finished one under another name, with labels of its own.
Printed are the seconds of a cold build, of a build after nothing, one line of prose and one module
changed, of the rules of the house, and, with --test, of everything that CI runs.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

from press.layout import ROOT, chapters, slugs, syllabus, tracked

# another name gives other identities of cells, and other checksums
RELEASES = (
    "-c",
    """
from pathlib import Path
import nbformat
from proctor.assignment import read, sources
from proctor.release import notebook, release_path, released
for source in sources(Path.cwd()):
    path = source.with_suffix(".ipynb")
    have = nbformat.read(path, as_version=4)
    for cell, wanted in zip(have.cells, notebook(read(source)).cells, strict=True):
        cell.id = wanted.id
    nbformat.write(have, path)
    text = released(Path.cwd(), have)
    release_path(Path.cwd(), path.stem).write_text(text, encoding="utf-8")
""",
)


def spare_ruff(root: Path) -> None:
    """Longer names make longer lines and another order of imports, which is no fault of a copy."""
    place = root / "pyproject.toml"
    text = place.read_text("utf8")
    excluded = "".join(f'"{room}", ' for room in ("lib", "tests", "solutions", "benchmarks"))
    changed = text.replace(
        "extend-exclude = [", f"force-exclude = true\nextend-exclude = [{excluded}"
    )
    place.write_text(changed)


def here(root: Path) -> dict[str, str]:
    """The environment in which Python imports from the copy."""
    return os.environ | {"PYTHONPATH": str(root / "lib")}


def copy_tree(root: Path) -> None:
    """The tree as git sees it."""
    for name in tracked():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)


def renamed(text: str, old: str, new: str, labels: set[str]) -> str:
    """A chapter's text under another name, its equation labels made different."""
    (old_part, _, old_name), (part, _, name) = old.rpartition("/"), new.rpartition("/")
    text = text.replace(f"{old_part}/{old_name}", new)
    text = text.replace(f"{old_part}.{old_name}", f"{part}.{name}")
    text = text.replace(f"etude.{old_part} import {old_name}", f"etude.{part} import {name}")
    for label in labels:
        text = re.sub(rf"(\$\$ *|# Eq\. )\({re.escape(label)}\)", rf"\1({name}-{label})", text)
        text = text.replace(f"{{eq}}`{label}`", f"{{eq}}`{name}-{label}`")
    return text


def grow(root: Path, old: str, new: str) -> None:
    """Copy every home of a chapter to another name."""
    (_, _, old_name), (part, _, name) = old.rpartition("/"), new.rpartition("/")
    page = (root / f"book/{old}.md").read_text("utf8")
    labels = set(re.findall(r"^\$\$ *\(([\w.-]+)\)", page, re.M))
    homes = [
        (f"book/{old}.md", f"book/{new}.md"),
        (f"lib/etude/{old}", f"lib/etude/{new}"),
        (f"tests/{old}", f"tests/{new}"),
        (f"benchmarks/{old}.py", f"benchmarks/{new}.py"),
        (f"solutions/{old_name}", f"solutions/{name}"),
        (f"exercises/{old_name}", f"exercises/{name}"),
    ]
    for source, target in homes:
        files = [root / source] if (root / source).is_file() else (root / source).rglob("*")
        for file in filter(Path.is_file, files):
            inside = "" if file == root / source else file.relative_to(root / source).as_posix()
            inside = re.sub(rf"^{old_name}(?=\.(py|ipynb)$)", name, inside)
            place = root / target / inside if inside else root / target
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(renamed(file.read_text("utf8"), old, new, labels), "utf8")
    (root / "lib/etude" / part / "__init__.py").touch()


def enter(root: Path, grown: dict[str, str]) -> None:
    """Put the synthetic chapters into the contents, the syllabus and the table of parity."""
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    toc["parts"][0]["chapters"] += [{"file": f"book/{slug}"} for slug in grown]
    (root / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False))
    parts = syllabus()
    items = {f"{p['part']}/{c['slug']}": c["items"] for p in parts for c in p["chapters"]}
    for part in parts:
        for chapter in part["chapters"]:
            slug = f"{part['part']}/{chapter['slug']}"
            if slug in grown:
                text = yaml.safe_dump(items[grown[slug]])
                chapter["items"] = yaml.safe_load(renamed(text, grown[slug], slug, set()))
    (root / "book/syllabus.yml").write_text(yaml.safe_dump(parts, width=1000, sort_keys=False))
    rows = yaml.safe_load((root / "book/parity.yml").read_text()) or []
    for new, old in grown.items():
        rows += [row | {"chapter": new} for row in list(rows) if row["chapter"] == old]
    (root / "book/parity.yml").write_text(yaml.safe_dump(rows, sort_keys=False))


def timed(root: Path, title: str, *words: str) -> None:
    """Run one command of the house in the copy, and print its seconds."""
    command, start, before = [sys.executable, *words], time.perf_counter(), os.times()
    with (root / "log.txt").open("a") as log:
        log.write(f"\n== {title}\n")
        log.flush()
        done = subprocess.run(command, cwd=root, env=here(root), stdout=log, stderr=log)
    now, wall = os.times(), time.perf_counter() - start
    cpu = now.children_user + now.children_system - before.children_user - before.children_system
    result = "FAILED, see log.txt" if done.returncode else ""
    print(f"{title:<44} {wall:7.1f} s wall {cpu:7.1f} s CPU {result}", flush=True)


def main() -> None:
    """Grow the copy and measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--chapters", type=int, default=45)
    options.add_argument("--test", action="store_true")
    a = options.parse_args()
    root, ready = a.folder.resolve(), chapters()
    copy_tree(root)
    new = [slug for slug in slugs() if slug not in ready][: a.chapters]
    grown = {slug: ready[i % len(ready)] for i, slug in enumerate(new)}
    for slug, old in grown.items():
        grow(root, old, slug)
    enter(root, grown)
    spare_ruff(root)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run([sys.executable, *RELEASES], cwd=root, check=True, env=here(root))
    print(f"{len(ready)} chapters and {len(grown)} synthetic ones")
    build = ("-c", "from press import build; build.build()")
    timed(root, "cold build, every chapter executed", *build)
    timed(root, "build, nothing changed", *build)
    page = root / f"book/{new[0]}.md"
    page.write_text(page.read_text("utf8") + "\nOne more line of prose.\n")
    timed(root, "build, one line of prose changed", *build)
    module = sorted((root / "lib/etude" / new[0]).glob("[a-z]*.py"))[0]
    module.write_text(module.read_text("utf8") + "\n# One more comment.\n")
    timed(root, "build, one module of one chapter changed", *build)
    timed(root, "rules of the house", "-m", "press", "rules")
    if a.test:
        timed(root, "everything that CI runs", "-m", "press", "test")


if __name__ == "__main__":
    main()

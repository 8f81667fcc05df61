"""The command line of the house: `press serve`, `press test` …; the Makefile calls nothing else."""

import argparse
import os
import sys

from press.layout import Fault


def serve(a: argparse.Namespace) -> int:
    """Build what changed, then serve it."""
    from press import build, serve
    from press.layout import only

    if a.port:
        serve.free(a.port)
    pages = [f"book/{slug}" for slug in only(a.only)] if a.only else None
    build.build(pages)
    serve.serve(a.port)
    return 0


def site(a: argparse.Namespace) -> int:
    """Build the site from a clean start and do not serve it."""
    from press import build
    from press.layout import only

    build.build([f"book/{slug}" for slug in only(a.only)] if a.only else None, clean=True)
    return 0


def test(a: argparse.Namespace) -> int:
    """Run everything that CI runs."""
    from press import test

    return test.everything(a.only)


def test_gpu(a: argparse.Namespace) -> int:
    """Run the device tests and parity on a real accelerator."""
    from press import test

    return test.on_gpu()


def check(a: argparse.Namespace) -> int:
    """Say in seconds what is out of step."""
    from press import check

    return check.check()


def rules(a: argparse.Namespace) -> int:
    """Print what the rules of the house find."""
    from press import rules

    found = rules.faults()
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


def lab(a: argparse.Namespace) -> int:
    """Open JupyterLab on the student's copies."""
    from press import lab

    return lab.lab(a.fresh, a.port)


def new(a: argparse.Namespace) -> int:
    """Lay out a chapter's homes as a draft."""
    from press import new
    from press.layout import relative

    for path in new.lay_out(a.chapter):
        print(f"wrote {relative(path)}")
    print(f"{a.chapter} is a draft: `make check` says what it still lacks")
    return 0


def rename(a: argparse.Namespace) -> int:
    """Give a chapter another name everywhere."""
    from press import new

    for name in new.rename(a.chapter, a.to):
        print(f"rewrote {name}")
    print("now run `make notebooks`, `make check`, and read `git diff`")
    return 0


def bench(a: argparse.Namespace) -> int:
    """Run the benchmarks."""
    from press import test

    return test.bench(a.only)


def lock(a: argparse.Namespace) -> int:
    """Pin what is installed."""
    from press import lock

    lock.write()
    return 0


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="press", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    options = {
        serve: {"--only": "", "--port": 8000},
        site: {"--only": ""},
        test: {"--only": ""},
        test_gpu: {},
        check: {},
        rules: {},
        lab: {"--fresh": "", "--port": 8888},
        new: {"--chapter": ""},
        rename: {"--chapter": "", "--to": ""},
        bench: {"--only": ""},
        lock: {},
    }
    for command, defaults in options.items():
        name = command.__name__.replace("_", "-")
        sub = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        for option, default in defaults.items():
            sub.add_argument(option, default=default, type=type(default))
        sub.set_defaults(run=command)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a fault becomes a sentence and exit code 1."""
    # One thread for each kernel and test: four threads on two busy cores are slower than two.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    a = parser().parse_args(arguments)
    try:
        return a.run(a)
    except Fault as fault:
        print(f"press {a.command}: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

import runpy
from pathlib import Path

BENCHMARK = Path(__file__).parents[3] / "benchmarks/formulas/optimization.py"


def test_the_comparison_runs_and_names_every_candidate(capsys):
    sizes = ["--repeats", "1", "--device", "cpu", "--dims", "4", "--small"]
    runpy.run_path(str(BENCHMARK))["main"](sizes)
    table = capsys.readouterr().out
    for name in ("SGD, momentum", "AdaGrad", "RMSprop", "Adam", "AdamW", "ours", "scipy", "torch"):
        assert f"    {name} " in table

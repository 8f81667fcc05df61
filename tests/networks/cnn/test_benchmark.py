import runpy
from pathlib import Path

BENCHMARK = Path(__file__).parents[3] / "benchmarks/networks/cnn.py"


def test_the_comparison_runs_and_names_every_network(capsys):
    runpy.run_path(str(BENCHMARK))["main"](["--repeats", "1", "--device", "cpu", "--small"])
    table = capsys.readouterr().out
    for name in ("LeNet-5", "stack 4-4", "basic layers", "bottleneck layers", "reference"):
        assert name in table

import runpy
from pathlib import Path

BENCHMARK = Path(__file__).parents[3] / "benchmarks/mechanisms/diffusion.py"


def test_the_comparison_runs_and_names_every_sampler(capsys):
    runpy.run_path(str(BENCHMARK))["main"](["--repeats", "1", "--device", "cpu", "--small"])
    table = capsys.readouterr().out
    for name in ("DDPM", "DDIM", "Euler", "Heun", "DPM-Solver++"):
        assert table.count(f"{name} ") == 2  # without a network, and with one

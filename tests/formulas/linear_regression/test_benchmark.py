import runpy
from pathlib import Path

BENCHMARK = Path(__file__).parents[3] / "benchmarks/formulas/linear_regression.py"


def test_the_comparison_runs_and_names_every_candidate(capsys):
    sizes = ["--rows", "60", "--features", "3", "--sets", "2", "--repeats", "1"]
    runpy.run_path(str(BENCHMARK))["main"](sizes)
    table = capsys.readouterr().out
    for name in ("lstsq", "scikit-learn", "statsmodels OLS", "scipy.stats.linregress", "pearson"):
        assert f"  {name} " in table
    assert "1×" in table

"""Writes arch_p_values.json: what arch 8.0.0 answers. Run once, in the benchmarks' environment, where arch is."""

import json
from pathlib import Path

import numpy as np
from arch.bootstrap import SPA

CASES = [
    {"seed": seed, "n": n, "models": models, "block": block, "repetitions": repetitions}
    for seed, n, models, block, repetitions in (
        (1, 300, 5, 4, 500),
        (2, 250, 12, 10, 400),
        (3, 500, 30, 7, 300),
        (4, 777, 3, 1, 300),
        (5, 1000, 150, 25, 200),
        (11, 123, 7, 3, 1000),
        (2026, 257, 97, 5, 700),
    )
]


def losses(seed, n, models):
    """As the test makes them again."""
    rng = np.random.default_rng([seed, n])
    return rng.standard_normal(n), rng.standard_normal((n, models)) + rng.normal(0, 0.05, models)


def answered(case):
    benchmark, models = losses(case["seed"], case["n"], case["models"])
    spa = SPA(
        benchmark,
        models,
        block_size=case["block"],
        reps=case["repetitions"],
        studentize=False,
        seed=case["seed"],
    )
    spa.compute()
    return {**case, **{name: float(p) for name, p in spa.pvalues.items()}}


Path(__file__).with_suffix(".json").write_text(json.dumps([answered(case) for case in CASES], indent=1) + "\n")

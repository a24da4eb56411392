"""A dossier with few tables, each as a test writes it: the example's declarations and policy beside them."""

from pathlib import Path

import numpy as np
import polars as pl

EXAMPLE = Path(__file__).parents[2] / "examples" / "momentum"


def small(folder, tables, *, evidence=None, deployed=None, policy=None):
    """Write the folder: `tables` are frames (Parquet) or texts by file name, `evidence` are keys of the dossier.

    The example's own section `evidence` is left out; it is deployed on 2019-01-02.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = (EXAMPLE / "dossier" / "dossier.yaml").read_text()
    text = "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(("    audits: ", "evidence: "))
    )
    if evidence:
        text += "\nevidence:\n" + "".join(f"  {key}: {value}\n" for key, value in evidence.items())
    if deployed:
        text = text.replace("deployment_date: 2019-01-02", f"deployment_date: {deployed}")
    (folder / "dossier.yaml").write_text(text)
    floor = (EXAMPLE / "policy.yaml").read_text()
    (folder / "policy.yaml").write_text(policy(floor) if policy else floor)
    for name, what in tables.items():
        if isinstance(what, pl.DataFrame):
            what.write_parquet(folder / name)
        else:
            (folder / name).write_text(what)
    return folder


def weekdays(count, end="2018-12-31"):
    """Every weekday, holidays too."""
    return np.busday_offset(np.datetime64(end), np.arange(1 - count, 1), roll="backward").astype("datetime64[D]")


def every_day(count, end="2018-12-31"):
    return np.datetime64(end) + np.arange(1 - count, 1)


def weeks(count, end="2018-12-28"):
    return np.datetime64(end) + 7 * np.arange(1 - count, 1)


def month_ends(count, step=1, end="2018-12"):
    """The last day of every month, or of every so many."""
    first = np.datetime64(end, "M") + 1 + step * np.arange(1 - count, 1)
    return first.astype("datetime64[D]") - 1


def with_sharpe(annual, a_year, count, *, seed=11, size=0.02):
    """Returns whose mean over their deviation (ddof 1) is exactly annual / √a_year."""
    drawn = np.random.default_rng(seed).normal(size=count)
    drawn = (drawn - drawn.mean()) / drawn.std(ddof=1)
    return size * (drawn + annual / np.sqrt(a_year))


def returns(dates, values, **columns):
    return pl.DataFrame({"date": dates, "return": values, **columns})

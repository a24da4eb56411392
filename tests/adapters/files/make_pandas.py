"""Write one table as each generation of pandas pickles it: python make_pandas.py, once in an environment of each."""

import numpy as np
import pandas as pd

days = pd.bdate_range("2020-01-01", periods=5, tz="America/New_York", name="day")
table = pd.DataFrame(
    {
        "returns": np.arange(5) / 100,
        "count": np.arange(5),
        "name": list("abcde"),
        "orders": [[], [{"id": 1}], [], [], []],
        "flag": [True, False, True, True, False],
        "close": days,
        "price": np.arange(5, dtype=">f4"),
    },
    index=days,
)
table["maybe"] = pd.array([0.5, None, 1.5, 2.5, 3.5], dtype="Float64")
table["kind"] = table["name"].astype("category")
version = pd.__version__
try:
    import pyarrow  # noqa: F401

    version += "_pyarrow"
except ImportError:
    pass
table.to_pickle(f"pandas_{version}.pickle")
table.to_pickle(f"pandas_{version}_protocol2.pickle", protocol=2)
table["returns"].tz_localize(None).to_pickle(f"pandas_{version}_series.pickle")

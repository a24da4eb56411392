"""Write small real results with zipline and pyfolio: python make_zipline.py

It needs zipline-reloaded and pyfolio-reloaded.
"""

import os
import tempfile

os.environ["ZIPLINE_ROOT"] = tempfile.mkdtemp()

import numpy as np
import pandas as pd
import pyfolio
import zipline
from zipline.api import order_target_percent, record, symbol
from zipline.data import bundles
from zipline.utils.run_algo import run_algorithm
from zipline.utils.calendar_utils import get_calendar

START, END = pd.Timestamp("2018-01-02"), pd.Timestamp("2018-01-31")
sessions = get_calendar("XNYS").sessions_in_range(START, END)
rng = np.random.default_rng(2)


def ingest(environ, assets, minutes, daily, adjustments, calendar, start, end, cache, show_progress, output_dir):
    close = 100 * np.cumprod(1 + rng.normal(0, 0.01, len(sessions)))
    bars = pd.DataFrame(
        {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 100_000}, index=sessions
    )
    daily.write([(0, bars)])
    assets.write(
        equities=pd.DataFrame(
            {
                "symbol": ["AAA"],
                "asset_name": ["A"],
                "start_date": [START],
                "end_date": [END],
                "exchange": ["NYSE"],
                "auto_close_date": [END + pd.Timedelta(days=1)],
            },
            index=[0],
        ),
        exchanges=pd.DataFrame({"exchange": ["NYSE"], "canonical_name": ["NYSE"], "country_code": ["US"]}),
    )
    adjustments.write()


bundles.register("made", ingest, calendar_name="XNYS", start_session=START, end_session=END)
bundles.ingest("made", show_progress=False)


def handle(context, data):
    order_target_percent(symbol("AAA"), 0.9 if data.current(symbol("AAA"), "close") > 100 else 0.3)
    record(price=data.current(symbol("AAA"), "close"))


benchmark = pd.Series(rng.normal(0.0003, 0.008, len(sessions)), index=sessions)
perf = run_algorithm(
    start=START,
    end=END,
    initialize=lambda context: None,
    handle_data=handle,
    capital_base=100_000,
    data_frequency="daily",
    bundle="made",
    benchmark_returns=benchmark,
)
perf.to_pickle("zipline_perf.pickle")
perf[["portfolio_value"]].assign(benchmark=benchmark.to_numpy()).to_csv("zipline_values.csv")
returns, positions, transactions = pyfolio.utils.extract_rets_pos_txn_from_zipline(perf)
returns.to_pickle("pyfolio_returns.pickle")
print("zipline", zipline.__version__, "pyfolio", pyfolio.__version__, "pandas", pd.__version__, "numpy", np.__version__)

"""Write small real results with vectorbt: python make_vectorbt.py (needs vectorbt and pyarrow)."""

import numpy as np
import pandas as pd
import vectorbt as vbt

days = pd.bdate_range("2020-01-01", periods=40, tz="UTC", name="date")
close = pd.Series(100 * np.cumprod(1 + np.random.default_rng(1).normal(0.0005, 0.01, 40)), index=days, name="close")
fast, slow = vbt.MA.run_combs(close, window=[3, 5, 8], r=2, short_names=["fast", "slow"])
family = vbt.Portfolio.from_signals(
    close, fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), fees=0.001, freq="1D"
)
held = vbt.Portfolio.from_holding(close, init_cash=1000, fees=0.001, freq="1D")

family.returns().to_pickle("vectorbt_family_returns.pickle")
family.returns().to_csv("vectorbt_family_returns.csv", header=["3/5", "3/8", "5/8"])
held.returns().to_pickle("vectorbt_returns.pickle")
held.value().to_pickle("vectorbt_value.pickle")
held.returns().to_frame("return").to_parquet("vectorbt_returns.parquet")
held.returns().to_csv("vectorbt_returns.csv")
held.save("vectorbt_portfolio.pickle")
print("vectorbt", vbt.__version__, "pandas", pd.__version__, "numpy", np.__version__)

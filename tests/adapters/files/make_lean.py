"""Write results in the documented form of QuantConnect LEAN: python make_lean.py. LEAN itself did not write these.

LEAN needs .NET, which is not at hand here. The form follows its published source (Engine/Results and Common/Util:
SeriesJsonConverter, CandlestickJsonConverter, ChartPointJsonConverter): `lean_result.json` as present versions write
it, with arrays and small first letters; `lean_result_old.json` with objects of x and y and capitals.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

EQUITY = [100000, 100000, 101000, 100500, 102510, 102510, 99434.7]
BENCHMARK = [250, 250, 252.5, 255.025, 249.9245, 254.92299, 254.92299]
TURNOVER = [0.0, 0.5, 0.0, 0.25, 0.0, 1.0]
FIRST = datetime(2020, 3, 5, tzinfo=ZoneInfo("America/New_York"))  # a Thursday; the clocks change on the Sunday
# Midnights that end 4, 5, 6, 9, 10, 11 and 12 March: sessions alone, across the change of clocks.
NIGHTS = [FIRST + timedelta(days=n) for n in (0, 1, 2, 5, 6, 7, 8)]
TIMES = [int(night.timestamp()) for night in NIGHTS]
NOON = int((FIRST + timedelta(hours=12)).timestamp())

equity = [[t, v, v + 50, v - 50, v] for t, v in zip(TIMES, EQUITY)]
equity.insert(1, [NOON, 100000, 100300, 99900, 100250])
charts = {
    "Strategy Equity": {
        "name": "Strategy Equity",
        "chartType": 0,
        "series": {
            "Equity": {"name": "Equity", "unit": "$", "index": 0, "seriesType": 2, "values": equity},
            "Return": {"name": "Return", "unit": "%", "index": 1, "seriesType": 3, "values": []},
        },
    },
    "Benchmark": {
        "name": "Benchmark",
        "series": {"Benchmark": {"name": "Benchmark", "values": [[t, v] for t, v in zip(TIMES, BENCHMARK)]}},
    },
    "Portfolio Turnover": {
        "name": "Portfolio Turnover",
        "series": {
            "Portfolio Turnover": {
                "name": "Portfolio Turnover",
                "values": [[t, v] for t, v in zip(TIMES[1:], TURNOVER)],
            }
        },
    },
}
new = {"charts": charts, "orders": {}, "statistics": {"Total Orders": "4"}, "state": {"Status": "Completed"}}
old_charts = {
    chart: {
        "Name": chart,
        "Series": {
            name: {
                "Name": name,
                "Unit": "$",
                "Values": [{"x": t, "y": v} for t, v in zip(TIMES, values)],
                "Color": "",
            }
        },
    }
    for chart, name, values in (("Strategy Equity", "Equity", EQUITY), ("Benchmark", "Benchmark", BENCHMARK))
}
old = {"Charts": old_charts, "Orders": {}, "Statistics": {"Total Trades": "4"}}
Path("lean_result.json").write_text(json.dumps(new, indent=1))
Path("lean_result_old.json").write_text(json.dumps(old, indent=1))

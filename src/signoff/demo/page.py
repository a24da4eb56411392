"""`index.html` of the demonstration: the story on one page, and the memos beside it."""

from html import escape
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.folders import write_file, write_folder
from signoff.app.approvals import APPROVED, SUBMITTED
from signoff.app.record import deployment_stream
from signoff.demo.example import Example
from signoff.demo.story import LAST_SESSION, timeline
from signoff.domain.costs import Costs
from signoff.domain.deployment import ROLLBACK_EDITION, Deployment
from signoff.domain.evidence import Floats
from signoff.domain.quantity import Unit, number
from signoff.installation import Installation
from signoff.rendering.html import page, picture
from signoff.rendering.timeline import RolloutPicture, exception_days, rollout_svg, spans
from signoff.stats.performance import max_drawdown, sharpe_ratio

COVID: Final = (np.datetime64("2020-02-19"), np.datetime64("2020-03-23"))


def write_pages(house: Installation, example: Example, state: Deployment, out: Path) -> Path:
    """Copy the memos to where people look, and write the page that leads to them."""
    editions = {edition for edition, _ in state.editions}
    signed = APPROVED if APPROVED in editions else SUBMITTED
    if signed in editions:
        write_folder(out / "memo", house.releases.read(state.id, signed))
    if state.undertakings is not None:
        release = house.approvals.reassessed(state)
        write_folder(out / "living", house.publisher.living(release, state))
    if ROLLBACK_EDITION in editions:
        write_folder(out / "rollback", house.releases.read(state.id, ROLLBACK_EDITION))
    index = out / "index.html"
    write_file(
        index,
        page(f"{state.model} v{state.version}: from candidate to production and back", _body(house, example, state)),
    )
    return index


def _body(house: Installation, example: Example, state: Deployment) -> str:
    history = house.record.history(deployment_stream(state.id))
    shown, picture_html = _picture(house, example, state)
    rows = "".join(
        f"<tr><td class='figure'>{escape(when)}</td><td>{escape(who)}</td><td>{escape(what)}</td></tr>"
        for when, who, what in timeline(house.record, state)
    )
    rollback = state.rollback
    moment = f"Rolled back on {rollback.started_at:%Y-%m-%d}: {rollback.trigger}" if rollback else "Never rolled back"
    return f"""
<div class="label">Demonstration</div>
<h1>{escape(state.model)} <span class="version">v{escape(state.version)}</span></h1>
<p class="muted">Prices, models, statistics, registry, signatures and ledger are real. The people, their keys, paper
fills, the broker and the clock are simulated.</p>
<div class="figures">
<div>State<b>{escape(state.state.value.replace("_", " "))}</b></div>
<div>Live days counted<b>{state.live_days}</b></div>
<div>Signatures<b>{len(state.approvals)} of {len(state.policy.approvals.required)}</b></div>
<div>Overrides<b>{len(state.overrides)}</b></div>
<div>Way back<b>{escape(moment)}</b></div>
</div>
<p><a href="memo/deployment_memo.pdf">Deployment memo (PDF)</a> · <a href="memo/deployment_memo.html">as a page</a> ·
<a href="living/living_memo.pdf">living memo, not signed (PDF)</a> ·
<a href="memo/attachments/validation_results.pdf">validation results</a> ·
<a href="memo/attachments/backtest_report.pdf">backtest report</a> ·
<a href="rollback/rollback_memo.pdf">rollback memo (PDF)</a> · <a href="memo/manifest.json">manifest</a></p>
<h2>The rollout, lived</h2>
{picture_html}
<h2>What the two versions would have done until the end of 2020</h2>
<p class="note">The replay knows the future only here: after the rollback v{escape(state.version)} traded nothing.</p>
{_comparison(shown)}
<h2>What happened</h2>
<div class="scroll"><table><thead><tr><th>When (UTC)</th><th>Who</th><th>What</th></tr></thead>
<tbody>{rows}</tbody></table></div>
<p class="muted">{len(history)} events of this release are in the ledger.
<span class="figure">signoff verify --home {escape(str(house.settings.home))}</span> checks every byte of them.</p>
<h2>The memo</h2>
<iframe src="memo/deployment_memo.html" title="Deployment memo"
style="width:100%;height:70vh;border:1px solid #d8d4ca"></iframe>
"""


def _picture(house: Installation, example: Example, state: Deployment) -> tuple[RolloutPicture, str]:
    history = house.record.history(deployment_stream(state.id))
    table = pl.read_parquet(example.live / "returns.parquet").filter(pl.col("date") <= LAST_SESSION)
    new = table.filter(pl.col("version") == state.version).sort("date")
    old = table.filter(pl.col("version") == state.previous_version).sort("date")
    rollback = state.rollback.started_at.date() if state.rollback else None
    shown = RolloutPicture(
        new_label=f"v{state.version}",
        old_label=f"v{state.previous_version}",
        dates=new["date"].to_numpy().astype("datetime64[D]"),
        new=new["return"].to_numpy(),
        old=old["return"].to_numpy(),
        phases=spans(history, state.last_session or LAST_SESSION),
        exceptions=exception_days(history),
        rollback=rollback,
        rollback_label=f"rollback: {state.rollback.trigger}" if state.rollback else "",
    )
    caption = (
        f"Growth of 1 on full capital for both versions, {Costs.DECLARED}, {new['date'][0]} to {new['date'][-1]}, "
        f"n = {new.height:,} sessions. Shaded: phases of v{state.version}. Triangles: losses beyond the 95% "
        "value at risk while it was live. Red line: the rollback."
    )
    return shown, picture(rollout_svg(shown), caption, "rollout")


def _comparison(shown: RolloutPicture) -> str:
    crash = (shown.dates >= COVID[0]) & (shown.dates <= COVID[1])
    rows = []
    for label, returns in ((shown.new_label, shown.new), (shown.old_label, shown.old)):
        figures = (
            _text(float(sharpe_ratio(returns)), Unit.RATIO),
            _text(_total(returns), Unit.PERCENT),
            _text(float(max_drawdown(returns)), Unit.PERCENT),
            _text(_total(returns[crash]), Unit.PERCENT),
            _text(float(max_drawdown(returns[crash])), Unit.PERCENT),
        )
        cells = "".join(f"<td class='right figure'>{escape(figure)}</td>" for figure in figures)
        rows.append(f"<tr><td>{escape(label)}</td>{cells}</tr>")
    heads = ("Version", "Sharpe 2019-2020", "Return", "Max drawdown", "COVID crash 2020", "Drawdown in it")
    return (
        "<div class='scroll'><table><thead><tr>"
        + "".join(f"<th{' class=right' if n else ''}>{head}</th>" for n, head in enumerate(heads))
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _total(returns: Floats) -> float:
    return float(np.prod(1.0 + returns) - 1.0)


def _text(value: float, unit: Unit) -> str:
    return number(value, unit) + ("%" if unit is Unit.PERCENT else "")

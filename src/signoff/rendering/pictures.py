"""Any chart as SVG, for renderers that only sometimes meet one."""

from signoff.domain.charts import Chart


def svg(chart: Chart) -> bytes:
    """One picture."""
    from signoff.rendering import charts  # noqa: PLC0415 - matplotlib loads slowly, and most commands draw nothing

    return charts.svg(chart)

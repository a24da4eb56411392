"""What a small release promises."""

from datetime import date

from signoff.domain.dossier import Commitments, Communication, PositionLimits, Restrictions, Success

UNDERTAKINGS = Commitments(
    communication=Communication(
        before=("desk told",), at_deployment=("announced",), after=("review held",), documents={}, training={}
    ),
    assumptions=(),
    success=Success(
        sharpe=0.5,
        hit_rate_pct=50.0,
        max_drawdown_pct=-10.0,
        latency_p95_ms=100.0,
        review_date=date(2019, 2, 1),
        attendees=("all",),
    ),
    restrictions=Restrictions(min_adv_usd=0.0),
    position_limits=PositionLimits(max_portfolio_weight_pct=100.0, max_single_position_pct=10.0, max_sector_pct=40.0),
    incident_channel="#incidents",
)

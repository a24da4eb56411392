"""The long-run covariance of dependent observations, by Bartlett weights (Newey and West 1987).

It is positive semidefinite by construction; no pre-whitening is done.
"""

import numpy as np

from signoff.stats.errors import InputError
from signoff.stats.sample import Floats


def automatic_lags(n: int) -> int:
    """⌊4 (n/100)^(2/9)⌋, the plug-in of Newey and West (1994), below n."""
    return min(int(4 * (n / 100) ** (2 / 9)), n - 1)


def long_run_covariance(centred: Floats, lags: int) -> Floats:
    """Γ₀ + Σ (1 − i/(L+1)) (Γᵢ + Γᵢ′) of T×K columns that have mean zero; Γᵢ = Σ x_t x′_{t−i} / T."""
    n = centred.shape[0]
    if not 0 <= lags < n:
        raise InputError(f"lags: expected 0 to {n - 1} for {n} observations, found {lags}.")
    total: Floats = centred.T @ centred / n
    for lag in range(1, lags + 1):
        covariance = centred[lag:].T @ centred[:-lag] / n
        total = total + (1 - lag / (lags + 1)) * (covariance + covariance.T)
    return np.asarray(total, dtype=np.float64)

"""CSCV in plain numpy, all splits at once: slow, short, and equal to the compiled kernels to the last bit.

Every sum is taken in the order of the kernels, and every comparison is theirs; nothing else is.
"""

import itertools
from dataclasses import dataclass
from math import comb

import numpy as np

CANCELLED, NIL, TIED = 1e-6, 1e-24, 1e-9


@dataclass(frozen=True)
class Plain:
    """The fields of the compiled result that are computed."""

    pbo: float
    pbo_strict: float
    logits: np.ndarray
    in_sample_sharpe: np.ndarray
    out_of_sample_sharpe: np.ndarray
    is_oos_ratio: float | None
    slope: float | None
    probability_of_loss: float
    n: int
    trials: int
    splits: int
    rows_trimmed: int
    ties: int
    flat_halves: int


def plain(trials, partitions):
    """CSCV of a family that has Sharpe ratios."""
    trimmed = trials.shape[0] % partitions
    used = np.ascontiguousarray(trials[trimmed:])
    returns = np.ldexp(used, -np.frexp(np.abs(used).max(axis=0))[1])
    rows, columns = returns.shape
    half, n = partitions // 2, rows // 2
    chosen = list(itertools.combinations(range(partitions), half))
    keys = _keys(returns, partitions, chosen)
    within, beyond = keys, keys[::-1]  # the complement of a split stands as far from the end
    largest = within.max(axis=1)
    best = np.argmax(within >= (largest - TIED * np.abs(largest))[:, np.newaxis], axis=1)
    every = np.arange(len(chosen))
    inside, outside = within[every, best], beyond[every, best]
    margin = TIED * np.abs(outside)
    below = (beyond < (outside - margin)[:, np.newaxis]).sum(axis=1)
    equal = (np.abs(beyond - outside[:, np.newaxis]) <= margin[:, np.newaxis]).sum(axis=1)
    rank = below + (equal + 1) / 2
    first, other = (np.sign(key) * np.sqrt(np.abs(key) * (n - 1)) / n for key in (inside, outside))
    gained = first > 0
    varies = np.ptp(first) > 1e-12 * np.abs(first).max()
    centred = first - first.mean()
    zeros = (used.reshape(partitions, -1, columns) == 0).all(axis=1).sum(axis=0)
    return Plain(
        pbo=float(np.mean(2 * rank <= columns + 1)),
        pbo_strict=float(np.mean(2 * rank < columns + 1)),
        logits=np.log(rank / (columns + 1 - rank)),
        in_sample_sharpe=first,
        out_of_sample_sharpe=other,
        is_oos_ratio=float(np.median(other[gained] / first[gained])) if gained.any() else None,
        slope=float(centred @ other / (centred @ centred)) if varies else None,
        probability_of_loss=float(np.mean(other < 0)),
        n=rows,
        trials=columns,
        splits=len(chosen),
        rows_trimmed=trimmed,
        ties=int((equal > 1).sum()),
        flat_halves=sum(comb(int(count), half) for count in zeros),
    )


def _keys(returns, partitions, chosen):
    """u|u|/v of every split and column: by sums over blocks, and where these have lost digits by the rows."""
    means = returns.mean(axis=0)
    blocks = (returns - means).reshape(partitions, -1, returns.shape[1])
    half, n = partitions // 2, returns.shape[0] // 2
    centred, square = (
        np.array([_over(sums, split[::-1], half) for split in chosen])
        for sums in (blocks.sum(axis=1), np.einsum("brn,brn->bn", blocks, blocks))
    )
    spread = square - centred * centred / n
    keys = _key(centred + n * means, spread, n)
    for split, column in np.argwhere(spread <= CANCELLED * square):
        rows = np.concatenate([returns.reshape(partitions, -1, returns.shape[1])[b, :, column] for b in chosen[split]])
        total = np.cumsum(rows)[-1]  # one after the other, as no other sum of numpy's adds
        around = np.cumsum((rows - total / n) ** 2)[-1]
        keys[split, column] = _key(total, around, n) if around > 0 else 0.0
    return keys


def _over(sums, split, half):
    """The chosen blocks of the first half added from the last to the first, those of the second so too, then both."""
    first, second = np.zeros(sums.shape[1]), np.zeros(sums.shape[1])
    for block in split:
        if block < half:
            first = first + sums[block]
        else:
            second = second + sums[block]
    return first + second


def _key(total, spread, n):
    key = total * np.abs(total) / np.where(spread > 0, spread, 1.0)
    return np.where(np.abs(key) > NIL * n, key, 0.0)

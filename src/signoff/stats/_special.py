"""Special functions of scipy, imported at their first call, so that kills and flags do not wait half a second."""


def ndtr(x: float) -> float:
    """The standard normal distribution function."""
    from scipy.special import ndtr as function  # noqa: PLC0415 - as above

    return float(function(x))


def ndtri(p: float) -> float:
    """The standard normal quantile of a probability."""
    from scipy.special import ndtri as function  # noqa: PLC0415 - as above

    return float(function(p))


def chdtrc(degrees: float, x: float) -> float:
    """The probability that a chi-squared variable with these degrees of freedom exceeds x."""
    from scipy.special import chdtrc as function  # noqa: PLC0415 - as above

    return float(function(degrees, x))


def kolmogorov(x: float) -> float:
    """The probability that Kolmogorov's limiting statistic exceeds x."""
    from scipy.special import kolmogorov as function  # noqa: PLC0415 - as above

    return float(function(x))


def xlogy(x: float, y: float) -> float:
    """X times the logarithm of y; 0 if x is 0."""
    from scipy.special import xlogy as function  # noqa: PLC0415 - as above

    return float(function(x, y))


def stdtr(degrees: float, t: float) -> float:
    """Student's distribution function."""
    from scipy.special import stdtr as function  # noqa: PLC0415 - as above

    return float(function(degrees, t))


def stdtrit(degrees: float, p: float) -> float:
    """Student's quantile of a probability."""
    from scipy.special import stdtrit as function  # noqa: PLC0415 - as above

    return float(function(degrees, p))

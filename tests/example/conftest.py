"""The example needs the extra `demo`; where it is not installed its tests are not collected."""

from importlib.util import find_spec

NEEDED = ("lightgbm", "mlflow", "skfolio")

collect_ignore_glob = ["test_*.py"] if any(find_spec(name) is None for name in NEEDED) else []

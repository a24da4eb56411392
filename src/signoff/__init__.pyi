from signoff.verdict.evaluation import evaluate as evaluate
from signoff.verdict.result import Verdict as Verdict

__all__ = ["Verdict", "evaluate"]
__version__: str

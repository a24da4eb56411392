"""Whether the tests would notice: 200 small changes of the code, drawn by a seed, and how many some test finds.

`make mutants` or `python benchmarks/mutants.py --seed 1 --count 200 --children 2`. mutmut changes one operator, number,
argument or name at a time in a copy of the tree (mutants/), and for each change the tests that call the changed
function run in a process. What is changed, and which folders of tests run, is said in pyproject.toml,
[tool.mutmut]. Changes that alter nothing but the words of a message are not drawn.

A run that was interrupted goes on where it was; `--again` tries once more what survived, after tests were added. Tests
that were written since the last run are run once, to learn what they call.
Prints what was found and the changes that nothing noticed; ends with 1 where less than `--floor` percent were found.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import NamedTemporaryFile

COPY = Path("mutants")
MUTMUT = Path(sys.executable).with_name("mutmut")
OUTCOMES = COPY / "outcomes.json"
STATS = COPY / "mutmut-stats.json"
# Exit codes of pytest under a mutant; where nothing could be imported any more it is interrupted while it collects.
WORDS = {0: "survived", 1: "killed", 2: "killed"}
FOUND = {"killed", "timeout"}
LEAST_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The mutants of a seed, with how many were passed over because only the words of a message differ."""

    names: tuple[str, ...]
    of: int
    wording: int


def verdicts():
    """The exit code of every mutant that has one, and None of the others, by name."""
    found = {}
    for meta in COPY.rglob("*.py.meta"):
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            found[name] = (code, meta.with_suffix(""))
    return found


class WithoutWords(ast.NodeTransformer):
    """Every text of more than one word is the same text, and a function has no name."""

    def visit_Constant(self, node):
        is_prose = isinstance(node.value, str) and len(node.value.split()) > 1
        return ast.Constant(value="words") if is_prose else node

    def visit_JoinedStr(self, node):
        parts = [self.visit(part) for part in node.values if not isinstance(part, ast.Constant)]
        return ast.JoinedStr(values=parts)


@cache
def functions(path):
    """The functions of a mutated file, without the words of their messages, by their mangled names."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name:
            plain = [WithoutWords().visit(part) for part in (node.args, *node.body)]
            found[node.name] = "".join(ast.dump(part) for part in plain)
    return found


def is_wording(name, path):
    known, mangled = functions(path), name.rpartition(".")[2]
    original = mangled.partition("__mutmut_")[0] + "__mutmut_orig"
    return known[mangled] == known[original]


def draw(every, seed, count):
    order = sorted(every)
    Random(seed).shuffle(order)
    names, wording = [], 0
    for name in order:
        if len(names) == count:
            break
        if is_wording(name, every[name][1]):
            wording += 1
        else:
            names.append(name)
    return Drawn(names=tuple(names), of=len(order), wording=wording)


def forget_half_written():
    """An interrupted run leaves modules without the list of their mutants, which mutmut would take for finished."""
    for path in COPY.glob("src/**/*.py"):
        source = path.relative_to(COPY)
        is_newer = source.is_file() and path.stat().st_mtime > source.stat().st_mtime
        if is_newer and not path.with_name(f"{path.name}.meta").exists():
            path.unlink()


def generate(children):
    """Write every mutant into the copy, in a process of its own, beside the tests as they are now."""
    forget_half_written()
    rmtree(COPY / "tests", ignore_errors=True)
    program = (
        "from pathlib import Path\nfrom mutmut.__main__ import create_mutants\n"
        "from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir\n"
        "COPY = Path('mutants')\nCOPY.mkdir(exist_ok=True)\ncopy_src_dir()\ncopy_also_copy_files()\n"
        f"create_mutants({children})\n"
    )
    with Path(f"{COPY}.log").open("wb") as log:
        done = subprocess.run([sys.executable, "-c", program], stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        sys.exit(f"mutmut could not write the mutants; see {COPY}.log. Remove {COPY}/ to begin anew.")


def learn():
    """Run the tests once, and keep which of them call which function, as mutmut keeps it.

    mutmut does this itself, and stops at the first test that fails; those fail that import the mutated code in a
    process of their own. They are known, and called for no function.
    """
    import pytest
    from mutmut.__main__ import _refresh_change_detection_baseline
    from mutmut.configuration import config
    from mutmut.mutation.trampoline import set_mutant_under_test
    from mutmut.state import state
    from mutmut.stats import save_stats
    from mutmut.utils.file_utils import change_cwd, setup_source_paths

    failed, settings = set(), config()

    class Callers:
        def pytest_runtest_logstart(self, nodeid):
            state().duration_by_test[nodeid] = 0.0

        def pytest_runtest_teardown(self, item):
            for function in state()._stats:  # noqa: SLF001 - the only place where it keeps them
                state().tests_by_mangled_function_name[function].add(item.nodeid)
            state()._stats.clear()  # noqa: SLF001 - as above

        def pytest_runtest_logreport(self, report):
            state().duration_by_test[report.nodeid] += report.duration
            if report.failed:
                failed.add(report.nodeid)

    setup_source_paths()
    os.environ["MUTMUT_DEPENDENCY_DEPTH"] = str(settings.dependency_tracking_depth)
    set_mutant_under_test("stats")
    _refresh_change_detection_baseline()
    with change_cwd(COPY):
        chosen = [*settings.pytest_add_cli_args_test_selection, *settings.pytest_add_cli_args]
        pytest.main(["--rootdir=.", "-q", "--tb=line", *chosen], plugins=[Callers()])
    for tests in state().tests_by_mangled_function_name.values():
        tests.difference_update(failed)
    print(f"{len(failed)} tests are called for no mutant, since they fail beside mutmut: {sorted(failed)}")
    save_stats()


def is_learned():
    """Whether it is known which tests call which function, and no test was written since."""
    if not STATS.exists():
        return False
    return all(path.stat().st_mtime <= STATS.stat().st_mtime for path in Path("tests").rglob("*.py"))


def prepare(children):
    print("writing the mutants (a minute or two)", flush=True)
    generate(children)
    if not is_learned():
        print("running the tests once, to learn which of them call which function (5 to 10 minutes)", flush=True)
        with Path(f"{COPY}.log").open("wb") as log:
            subprocess.run([sys.executable, __file__, "--learn"], stdout=log, stderr=log, check=True)


def calls():
    """The tests that call each function, by its mangled name, and the seconds that each test takes."""
    known = json.loads(STATS.read_text())
    return known["tests_by_mangled_function_name"], known["duration_by_test"]


def tests_of(name, called, seconds):
    return {test: seconds.get(test, 0.0) for test in called.get(name.partition("__mutmut_")[0], ())}


def tried(name, tests):
    """Run these tests in a process under one mutant, until the first that fails.

    mutmut names each test on the line of a command, and pytest does not find all of them by their names.
    """
    options = ["--rootdir=.", "-x", "-q", "--tb=line", "-p", "mutant_tests", *configured()["pytest_add_cli_args"]]
    files = sorted({test.partition("::")[0] for test in tests})
    path = os.pathsep.join([str((COPY / "src").resolve()), str(Path(__file__).resolve().parent)])
    with NamedTemporaryFile("w", suffix=".json") as named:
        json.dump(tests, named)
        named.flush()
        own = {"MUTANT_UNDER_TEST": name, "MUTANT_TESTS": named.name, "PYTHONPATH": path}
        line = [sys.executable, "-m", "pytest", *options, *files]
        try:
            done = subprocess.run(
                line,
                cwd=COPY,
                env=os.environ | own,
                capture_output=True,
                check=False,
                timeout=LEAST_S + 10 * sum(tests.values()),
            )
        except subprocess.TimeoutExpired:
            return "timeout"
    return WORDS.get(done.returncode, f"not run: pytest ended with {done.returncode}")


def run(names, children):
    """Run each mutant, keep how it ended at once, and tell it."""
    called, seconds = calls()
    ended = outcomes(names)
    every = {test: s for name in names for test, s in tests_of(name, called, seconds).items()}
    if (word := tried("none", every)) != "survived":
        sys.exit(f"the tests must pass while no mutant is active, and {word}: nothing would be told by their failing")

    def one(name):
        tests = tests_of(name, called, seconds)
        ended[name] = tried(name, tests) if tests else "not covered"
        OUTCOMES.write_text(json.dumps(kept() | ended, indent=1))
        print(f"{sum(word != 'not run' for word in ended.values())} of {len(ended)}: {ended[name]} {name}", flush=True)

    with ThreadPoolExecutor(children) as pool:
        list(pool.map(one, names))


def kept():
    return json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}


def outcomes(names):
    known = kept()
    return {name: known.get(name, "not run") for name in names}


def configured():
    return tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"]


def report(drawn, floor):
    ended = outcomes(drawn.names)
    counted = Counter(ended.values())
    for name, word in sorted(ended.items(), key=lambda pair: (pair[1], pair[0])):
        if word not in FOUND and not word.startswith("not run"):
            shown = subprocess.run([MUTMUT, "show", name], capture_output=True, text=True, check=False)
            print(f"\n{word}: {name}\n{shown.stdout if word != 'not covered' else ''}")
    tried = sum(not word.startswith("not run") for word in ended.values())
    noticed = sum(counted[word] for word in FOUND)
    print(f"\n{drawn.of} mutants; {drawn.wording} alter only words and are passed over; {len(ended)} drawn")
    print(", ".join(f"{n} {word}" for word, n in counted.most_common()))
    share = 100 * noticed / tried if tried else 0.0
    print(f"noticed: {noticed} of {tried}, {share:.1f}% (floor {floor:g}%)")
    return 0 if tried == len(ended) and share >= floor else 1


def main():
    parser = argparse.ArgumentParser(description="Run seeded mutants of the code, and print what no test notices.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--floor", type=float, default=90.0)
    parser.add_argument("--again", action="store_true", help="run once more what survived or was not covered")
    parser.add_argument("--report", action="store_true", help="run nothing: print what earlier runs found")
    parser.add_argument("--learn", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.learn:
        return learn()
    if not asked.report:
        prepare(asked.children)
    drawn = draw(verdicts(), asked.seed, asked.count)
    if not asked.report:
        ended = outcomes(drawn.names)
        waiting = [
            name for name, word in ended.items() if word.startswith("not run") or (asked.again and word not in FOUND)
        ]
        print(f"{len(waiting)} of {len(drawn.names)} are to be run", flush=True)
        if waiting:
            run(waiting, asked.children)
    return report(drawn, asked.floor)


if __name__ == "__main__":
    sys.exit(main())

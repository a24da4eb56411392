"""Foreign code of a dossier can neither reach nor break the installation, nor forge its own verdict."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import release_folder
from forked import captured

from signoff.adapters.feature_replay import FeatureReplays
from signoff.adapters.sandbox.child import Sandbox
from signoff.cli.main import main
from signoff.domain.dossier import PitAudits, PitDeclaration
from signoff.domain.isolation import Hazard, Isolation

HONEST = """
def compute(inputs):
    return inputs["bars"].select("timestamp", "symbol", pl.col("close").rolling_mean(5).over("symbol").alias("mean_5"))
"""
LEAKY = """
def compute(inputs):
    return inputs["bars"].select("timestamp", "symbol", (pl.col("close") - pl.col("close").mean()).alias("leak"))
"""
DECLARED = PitDeclaration(
    compute="features:compute", inputs={"bars": "bars.parquet"}, sample_dates=6, audits=PitAudits()
)
START = datetime(2018, 1, 1, 21, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    (home / "ledger.key").write_text("the ledger's key")
    return home


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "dossier"
    folder.mkdir()
    days = [START + timedelta(days=n) for n in range(40)]
    bars = pl.DataFrame({"timestamp": days, "symbol": "AAA", "close": [100.0 + n % 7 for n in range(40)]})
    bars.write_parquet(folder / "bars.parquet")
    return folder


def sandbox(home, **given):
    hidden = (Path("/etc/passwd"), home / "ledger.key", home / "keys")
    return Sandbox(**{"hidden": hidden, "folders": (home,), "seconds": 30.0} | given)


def replayed(folder, home, code, **given):
    (folder / "features.py").write_text(f"import polars as pl\n{code}")
    return FeatureReplays(sandbox(home, **given))(folder, DECLARED, None)


def test_honest_code_is_replayed_and_the_result_names_what_was_out_of_reach(folder, home):
    found = replayed(folder, home, HONEST)
    assert (found.error, found.findings, found.dates_checked) == (None, (), 6)
    assert found.protection.is_full
    assert found.protection.stopped == frozenset(Hazard)
    assert "Landlock" in found.protection.words


REACHES = {
    "the ledger's key": "open({home!r} + '/ledger.key').read()",
    "the key by a link": "open('/proc/self/root' + {home!r} + '/ledger.key').read()",
    "the folder of the keys": "os.listdir({home!r} + '/keys')",
    "the accounts of the machine": "open('/etc/passwd').read()",
    "the environment of the server": "open('/proc/%d/environ' % os.getppid()).read()",
    "the memory of the server": "open('/proc/%d/mem' % os.getppid(), 'rb').read(1)",
    "the network": "socket.socket(socket.AF_INET)",
    "the network by IPv6": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "a raw socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "the sockets of this machine": "socket.socket(socket.AF_UNIX)",
    "writing into the home": "open({home!r} + '/kills.kill', 'w')",
    "writing into its own folder": "open(os.path.dirname(__file__) + '/features.py', 'a')",
    "writing where everybody may": "open('/tmp/left-behind', 'w')",
    "the rights of the home": "os.chmod({home!r}, 0o777)",
    "the owner of the home": "os.chown({home!r}, 65534, 65534)",
    "the times of the key": "os.utime({home!r} + '/ledger.key', (0, 0))",
    "the name of the home": "os.rename({home!r}, {home!r} + '-gone')",
    "removing the key": "os.unlink({home!r} + '/ledger.key')",
    "a link to the key": "os.symlink({home!r} + '/ledger.key', '/tmp/left-behind')",
    "another process": "os.fork()",
    "another program": "os.execv('/bin/true', ['true'])",
    "a shell": "subprocess.run('true', shell=True, check=True)",
    "a signal to the server": "os.kill(os.getppid(), signal.SIGTERM)",
    "a signal to everybody": "os.kill(-1, signal.SIGCONT)",
    "a signal by the kernel's hand": "fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    "the limits of the server": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))",
    "the processors of the server": "os.sched_setaffinity(os.getppid(), {{0}})",
    "more memory than it was given": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "memory that no limit counts": "os.memfd_create('hidden')",
}
TRIED = """
import fcntl, os, resource, signal, socket, subprocess
import polars as pl
reached = []
for what, act, may_be_absent in {acts!r}:
    try:
        exec(act)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and not may_be_absent:
            reached.append(what + ": " + str(error))
    else:
        reached.append(what)
if reached:
    raise RuntimeError("within reach: " + "; ".join(reached))
"""


def tried(home, reaches):
    return TRIED.format(acts=[(what, act.format(home=str(home)), "/proc" in act) for what, act in reaches.items()])


@pytest.mark.abuse
def test_out_of_its_reach_is_all_of_this(folder, home):
    mode, names = home.stat().st_mode, sorted(path.name for path in home.iterdir())
    found = replayed(folder, home, tried(home, REACHES) + HONEST)
    assert found.error is None
    assert found.dates_checked == 6
    assert (home.stat().st_mode, sorted(path.name for path in home.iterdir())) == (mode, names)
    assert (home / "ledger.key").read_text() == "the ledger's key"


def test_what_is_within_its_reach_is_named(folder, home):
    reaches = {"its own identity": "os.getpid()", "the ledger's key": REACHES["the ledger's key"], "lost": "open('x')"}
    found = replayed(folder, home, tried(home, reaches) + HONEST)
    assert "its own identity" in found.error
    assert "lost: " in found.error
    assert "the ledger's key" not in found.error


ENDINGS = {
    "ends its process with success": ("import os; os._exit(0)", "status 0"),
    "asks to exit": ("import sys; sys.exit(0)", "SystemExit"),
    "ends it when it computes": ("import os\ndef compute(inputs): os._exit(0)", "status 0"),
    "raises what is no error": ("raise BaseException('gone')", "BaseException: gone"),
    "is interrupted": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "never ends, in one expression": ("import re; re.match('(a+)+$', 'a' * 64 + 'b')", "its time was over"),
    "sleeps": ("import time; time.sleep(1000)", "its time was over"),
    "ignores signals and sleeps": (
        "import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\ntime.sleep(1000)",
        "its time was over",
    ),
    "takes all memory": ("hoard = [bytearray(1 << 24) for _ in range(1000)]", "MemoryError"),
    "says nothing more": (
        "import os\nfor n in range(3, 256):\n    try: os.close(n)\n    except OSError: pass",
        "result",
    ),
    "answers with noise": (
        "import os\nfor n in range(3, 64):\n    try: os.write(n, b'T' + bytes(8) + b'noise')\n    except OSError: pass",
        "no table",
    ),
    "promises an answer without end": (
        "import os\nfor n in range(3, 256):\n    try: os.write(n, b'T' + b'\\xff' * 8)\n    except OSError: pass",
        "are the most",
    ),
    "crashes the interpreter": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "holds thousands of threads": (
        "import threading, time\nthreading.stack_size(65536)\n"
        "for _ in range(4000):\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "time.sleep(60)",
        "threads at a time, and 256 are the most",
    ),
    "holds them by native code": (
        "import ctypes, time\nlibc = ctypes.CDLL(None)\nwait = ctypes.cast(libc.pause, ctypes.c_void_p)\n"
        "for _ in range(3000):\n    libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, wait, None)\n"
        "time.sleep(60)",
        "threads at a time, and 256 are the most",
    ),
    "holds them when it computes": (
        "import threading, time\nthreading.stack_size(65536)\ndef compute(inputs):\n    for _ in range(4000):\n"
        "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    time.sleep(60)",
        "threads at a time, and 256 are the most",
    ),
    "lets each thread start two others": (
        "import threading, time\nthreading.stack_size(65536)\n"
        "def more(depth):\n    for _ in range(2 if depth else 0):\n"
        "        threading.Thread(target=more, args=(depth - 1,), daemon=True).start()\n    time.sleep(60)\nmore(10)",
        "threads at a time, and 256 are the most",
    ),
    "recurses without end": ("f = lambda: f()\nf()", "RecursionError"),
    "does not exist": ("raise ModuleNotFoundError('no such module')", "ModuleNotFoundError"),
}


@pytest.mark.abuse
@pytest.mark.parametrize("how", ENDINGS)
def test_without_a_result_there_is_no_verdict_and_the_cause_is_named(folder, home, how):
    code, said = ENDINGS[how]
    seconds = 2.0 if said == "its time was over" else 30.0
    found = replayed(folder, home, code, seconds=seconds, memory_bytes=(4 if "threads" in said else 1) << 30)
    assert found.dates_checked == 0
    assert said in found.error


FORGERIES = {
    "finds the judge and replaces it": (
        "import sys\nfor name, module in list(sys.modules.items()):\n"
        "    if name.startswith('signoff'):\n        setattr(module, 'check', lambda *a, **k: ())\n"
    ),
    "reports that nothing moved": "import signoff.pit\nsignoff.pit.check = lambda *a, **k: signoff.pit.PitReport(())\n",
    "declares all values equal": "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.max = lambda *a, **k: 0\n",
    "patches the tables": "pl.DataFrame.equals = lambda *a, **k: True\npl.Series.__sub__ = lambda a, b: a\n",
}


@pytest.mark.abuse
@pytest.mark.parametrize("how", FORGERIES)
def test_leaking_code_cannot_touch_its_own_verdict(folder, home, how):
    found = replayed(folder, home, FORGERIES[how] + LEAKY)
    assert [finding.feature for finding in found.findings] == ["leak"] or found.error is not None


def test_the_child_ends_with_the_process_that_started_it(folder, home):
    (folder / "features.py").write_text("import time; time.sleep(1000)")
    parent = (
        "import os, sys, threading, time\nfrom pathlib import Path\nimport polars as pl\n"
        "from signoff.adapters.sandbox.child import Sandbox\n"
        f"child = Sandbox().start(Path({str(folder)!r}), compute='features:compute').__enter__()\n"
        "print(child._process.pid, flush=True)\n"
        "child.compute({'bars': pl.DataFrame({'x': [1]})})\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, env=python_environment()) as started:
        pid = int(started.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        started.kill()
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "(zombie)" in Path(f"/proc/{pid}/status").read_text():
            return
        import time

        time.sleep(0.1)
    raise AssertionError("the child outlived the process that started it")


def python_environment(**more):
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **more}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=300)


@pytest.fixture
def dossier(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "release")


def command_line(*line, around=(), **environment):
    """The command in a process of its own: a fork, unless something has to be around it from its start."""
    if not around:
        return captured(*map(str, line), within=300)
    command = [*around, sys.executable, "-m", "signoff", *map(str, line)]
    return subprocess.run(command, capture_output=True, env=python_environment(**environment), check=False, timeout=300)


@pytest.mark.abuse
@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--trusted",)])
@pytest.mark.parametrize("ending", ["import os; os._exit(0)", "import sys; sys.exit(0)"])
def test_a_check_succeeds_only_by_a_verdict(dossier, tmp_path, ending, options):
    module = dossier / "example_features.py"
    module.write_text(f"{ending}\n{module.read_text()}")
    ended = command_line("check", dossier, "--home", tmp_path / "home", "--json", *options)
    assert ended.returncode == 1, ended.stderr
    verdict = json.loads(ended.stdout)
    assert "point_in_time" in verdict["blocking"]
    assert "could not run" in verdict["point_in_time_reason"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [("memo", "--out", "out"), ("submit",), ("replay", "--dates", "9")])
def test_no_other_command_takes_an_exit_for_a_verdict(dossier, tmp_path, command):
    module = dossier / "example_features.py"
    module.write_text(module.read_text().replace("def compute(inputs):", "def compute(inputs):\n    os._exit(0)", 1))
    module.write_text(f"import os\n{module.read_text()}")
    verb, *options = command
    options = [str(tmp_path / "out") if option == "out" else option for option in options]
    ended = command_line(verb, dossier, *options, "--home", tmp_path / "home", "--json")
    assert ended.returncode in {1, 2}, ended.stdout
    assert b"Traceback" not in ended.stderr


def test_trusted_code_runs_in_place_and_the_result_says_so(dossier, tmp_path, capsys):
    home = ("--home", str(tmp_path / "home"))
    main(["memo", str(dossier), "--out", str(tmp_path / "memo"), *home, "--trusted", "--json"])
    assert "(--trusted)" in json.loads(capsys.readouterr().out)["feature_code_ran"]
    page = (tmp_path / "memo" / "deployment_memo.md").read_text()
    assert "The feature code ran in the command's own process" in page
    main(["memo", str(dossier), "--out", str(tmp_path / "other"), *home, "--json"])
    assert "in a child process, out of reach of" in json.loads(capsys.readouterr().out)["feature_code_ran"]
    assert "in the command's own process" not in (tmp_path / "other" / "deployment_memo.md").read_text()


@pytest.mark.slow
def test_without_isolation_nothing_runs_unless_the_weak_mode_is_named_and_printed(dossier, tmp_path):
    around = (sys.executable, str(Path(__file__).parents[1] / "support" / "kernel_without_landlock.py"))
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    line = ("memo", dossier, "--out", tmp_path / "memo", "--home", tmp_path / "home", "--json")
    refused = command_line(*line, around=around, PATH=str(nowhere))
    assert refused.returncode == 2
    assert b"It was not run" in refused.stderr
    assert b"SIGNOFF_ISOLATION=weak" in refused.stderr
    assert not (tmp_path / "memo").exists()
    weak = command_line(*line, around=around, PATH=str(nowhere), SIGNOFF_ISOLATION="weak")
    assert weak.returncode in {0, 1}, weak.stderr
    said = "The feature code ran in a child process in weak mode, with files beside its inputs and writing files"
    assert said in (tmp_path / "memo" / "deployment_memo.md").read_text()


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed here")
def test_namespaces_isolate_where_the_kernel_has_no_landlock(dossier, tmp_path):
    around = (sys.executable, str(Path(__file__).parents[1] / "support" / "kernel_without_landlock.py"))
    ended = command_line("check", dossier, "--home", tmp_path / "home", "--json", around=around)
    assert ended.returncode in {0, 1}, ended.stderr
    assert "(bubblewrap, seccomp)" in json.loads(ended.stdout)["feature_code_ran"]


def test_a_server_is_never_told_to_trust_code(tmp_path, capsys, monkeypatch):
    assert main(["serve", "--trusted", "--home", str(tmp_path)]) == 2
    assert "never runs foreign code" in capsys.readouterr().err
    monkeypatch.setenv("SIGNOFF_ISOLATION", "trusted")
    assert main(["status", "--home", str(tmp_path)]) == 2
    assert "full or weak" in capsys.readouterr().err


def test_a_home_inside_of_the_dossier_is_not_shown_to_the_code(folder):
    home = folder / ".signoff"
    (home / "keys").mkdir(parents=True)
    (home / "ledger.key").write_text("the ledger's key")
    look = "import pathlib\nassert not list(pathlib.Path(__file__).parent.rglob('*.key'))\n"
    found = replayed(folder, home, look + HONEST)
    assert (found.error, found.protection.is_full) == (None, True)


def test_the_code_sees_its_signed_files_and_no_table_of_its_folder(folder, home):
    look = "import pathlib\nassert [p.name for p in pathlib.Path(__file__).parent.iterdir()] == ['features.py']\n"
    (folder / "notes.txt").write_text("what comes later")
    assert replayed(folder, home, look + HONEST).error is None


REMEMBERS = """
seen = []
def compute(inputs):
    seen.append(inputs["bars"].select("timestamp", "symbol", (pl.col("close").shift(-1)).alias("tomorrow")))
    return seen[{which}]
"""


@pytest.mark.abuse
@pytest.mark.parametrize("which", [0, "max(range(len(seen)), key=lambda n: seen[n].height)"])
def test_code_that_remembers_the_future_is_found(folder, home, which):
    """Features are recomputed in a process that never saw the rows that are taken away."""
    found = replayed(folder, home, REMEMBERS.format(which=which))
    assert [finding.feature for finding in found.findings] == ["tomorrow"]


def test_weak_isolation_still_runs_apart(folder, home):
    found = replayed(folder, home, "import os; os._exit(0)", isolation=Isolation.WEAK)
    assert "status 0" in found.error

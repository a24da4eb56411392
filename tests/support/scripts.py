"""Scripts run one after another, each in a fork of a process that has imported what they share.

Importing mlflow and lightgbm takes three seconds of each script, and most of its time.
"""

import json
import os
import subprocess
import sys

HOST = """
import importlib, json, os, runpy, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        said = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(said, 1), os.dup2(said, 2)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = asked["words"]
        sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
        code = 0
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Host:
    """The process that forks; a context manager."""

    def __init__(self, *modules):
        self._modules, self._process = modules, None

    def __enter__(self):
        line = [sys.executable, "-c", HOST, json.dumps(self._modules)]
        alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # small work for many threads is mostly waiting for each other
        self._process = subprocess.Popen(line, env=alone, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def ran(self, *words, cwd, environment, log):
        """How the script ended, and what it said on either stream."""
        log.write_text("")
        asked = {"words": words, "cwd": str(cwd), "environment": environment, "log": str(log)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), log.read_text()

"""A real OpenID provider in a process of its own."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

NODE = Path(__file__).parents[1] / "node"


@contextmanager
def identity_provider(port, callback):
    """The provider, until the block ends; its one client comes back at `callback`."""
    line = ["node", "identity_provider.mjs", str(port), callback]
    with subprocess.Popen(line, cwd=NODE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as provider:
        assert "ready" in provider.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        provider.kill()

"""A clone with commits by whom a test says."""

import subprocess


class Repository:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *line, input_text=None, **env):
        said = subprocess.run(
            ["git", "-C", str(self.folder), *line],
            capture_output=True,
            check=True,
            text=True,
            input=input_text,
            env={"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent", **env},
        )
        return said.stdout.strip()

    def commit(self, author, email, message="work"):
        """A commit of this author, merged by somebody else; its id."""
        env = {f"GIT_{who}_{what}": value for who, name, at in (
            ("AUTHOR", author, email), ("COMMITTER", "The Merger", "merger@example.com")
        ) for what, value in (("NAME", name), ("EMAIL", at))}  # fmt: skip
        self.git("commit", "--quiet", "--allow-empty", "-m", message, **env)
        return self.git("rev-parse", "HEAD")

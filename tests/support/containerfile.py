"""A Containerfile's steps, carried out without a container engine: a reader and a builder, as far as ours needs them.

Each stage has one folder as its root. Nothing is mapped into it behind the steps' back: every absolute path of the file
comes from an ARG, and the test gives those paths below the folder, as `--build-arg` would. A COPY to somewhere else is
an error, and so is an instruction that is not known here. When a stage ends its root is moved away, so that the next
one has of it only what `COPY --from` takes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PASSED_ON = re.compile(r"PIP_.*|(https?|no)_proxy|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|HOME", re.IGNORECASE)
"""How the machine reaches its package index, and pip's own cache; engines pass proxies on too."""

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


class Instruction(NamedTuple):
    word: str
    rest: str


def instructions(text: str) -> Iterator[Instruction]:
    """The steps in order; a line that ends in a backslash goes on, comments are left out."""
    whole = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or (not line.strip() and not whole):
            continue
        whole += line.removesuffix("\\").strip() + " "
        if not line.endswith("\\"):
            word, _, rest = whole.strip().partition(" ")
            yield Instruction(word.upper(), rest.strip())
            whole = ""


class Build:
    """`context`: the checkout; `work`: an empty folder; `args`: build args; `tools`: the PATH of the base image."""

    def __init__(self, context: Path, work: Path, args: Mapping[str, str], tools: str) -> None:
        self.root = work / "root"
        self.env: dict[str, str] = {}
        self.user = ""
        self.command: list[str] = []
        self.base = ""
        self._entry: list[str] = []
        self._context = context
        self._stages = work / "stages"
        self._given = dict(args)
        self._tools = tools
        self._args: dict[str, str] = {}
        self._global: dict[str, str] = {}
        self._stage = ""
        self._cwd = self.root
        self._ignored = _ignored(context / "deploy" / "Containerfile.dockerignore")

    def run(self, text: str) -> None:
        """Carry out every step."""
        steps = {
            "ARG": self._arg,
            "CMD": lambda rest: self.command.extend(_words(rest)),
            "COPY": self._copy,
            "ENTRYPOINT": lambda rest: self._entry.extend(_words(rest)),
            "ENV": self._set,
            "EXPOSE": lambda rest: None,
            "FROM": self._from,
            "RUN": self._execute,
            "USER": self._become,
            "WORKDIR": self._go,
        }
        for step in instructions(text):
            steps[step.word](step.rest)
        self.command = [*self._entry, *self.command]

    def _from(self, rest: str) -> None:
        self.base, _, name = self._filled(rest).partition(" AS ")
        if self.root.exists():
            self._stages.mkdir(exist_ok=True)
            self.root.rename(self._stages / self._stage)
        self.root.mkdir(parents=True)
        self._stage, self._cwd = name.strip(), self.root
        self.env, self._args, self.command, self._entry = {"PATH": self._tools}, {}, [], []

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        value = self._given.get(name, default)
        (self._args if self.root.exists() else self._global)[name] = value

    def _set(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            self.env[name] = self._filled(value)

    def _become(self, rest: str) -> None:
        self.user = rest

    def _go(self, rest: str) -> None:
        self._cwd = self._inside(self._filled(rest))
        self._cwd.mkdir(parents=True, exist_ok=True)

    def _execute(self, rest: str) -> None:
        passed = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
        env = passed | self._args | self.env
        done = subprocess.run(
            ["/bin/sh", "-ec", rest], cwd=self._cwd, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"RUN {rest}\n{done.stdout}\n{done.stderr}"

    def _copy(self, rest: str) -> None:
        words = shlex.split(self._filled(rest))
        options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
        *sources, target = (word for word in words if not word.startswith("--"))
        into = self._inside(target)
        for source in sources:
            origin = self._origin(source, options.get("from", ""))
            goal = into / origin.name if origin.is_file() and (target.endswith("/") or len(sources) > 1) else into
            _put(origin, goal)
            if "chown" in options and os.geteuid() == 0:
                user, _, group = options["chown"].partition(":")
                os.chown(goal, int(user), int(group))

    def _origin(self, source: str, stage: str) -> Path:
        if stage:
            return self._stages / stage / self._inside(source).relative_to(self.root)
        assert any(source == name or source.startswith(f"{name}/") for name in self._ignored), f"{source} is ignored"
        return self._context / source

    def _inside(self, path: str) -> Path:
        whole = Path(os.path.normpath(self._cwd / path))
        assert whole.is_relative_to(self.root), f"{path} is outside of what an ARG can move"
        return whole

    def _filled(self, text: str) -> str:
        known = self._global | self._args | self.env
        return _VARIABLE.sub(lambda match: known[match[1] or match[2]], text)


def _words(rest: str) -> list[str]:
    """`["a", "b"]`: the form without a shell."""
    assert rest.startswith("[")
    return [word.strip().strip('"') for word in rest.strip("[]").split(",")]


def _ignored(file: Path) -> list[str]:
    """What an ignore file that begins with `*` lets through."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def _put(origin: Path, goal: Path) -> None:
    goal.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        shutil.copytree(origin, goal, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(origin, goal)

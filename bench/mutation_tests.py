"""The pytest plugin of `mutation.py`: notes the lines that tests reach, or tries mutants in forks."""

import ast
import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Generator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

MOST = 120.0  # seconds of processor time that the tests of one mutant take at most


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the three options that `mutation.py` passes."""
    for name in ("map", "plan", "log"):
        parser.addoption(f"--mutation-{name}", type=Path)


def pytest_configure(config: pytest.Config) -> None:
    """Register what the options ask for."""
    if config.getoption("--mutation-plan"):
        config.pluginmanager.register(_Trial(config), "mutation-trial")
    elif config.getoption("--mutation-map"):
        config.pluginmanager.register(_Map(config.getoption("--mutation-map")), "mutation-map")


def _spent() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


class _Map:
    """For each test that passes: processor seconds, and the lines that it runs in this process."""

    def __init__(self, path: Path) -> None:
        from coverage import Coverage

        self._path = path
        self._tests: dict[str, dict[str, Any]] = {}
        self._failed: set[str] = set()
        self._coverage = Coverage(data_file=None, source=["src/tempo_cli"], config_file=False)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, bool, bool]:
        """Give the test's lines its name."""
        self._coverage.switch_context(item.nodeid)
        begun = _spent()
        try:
            return (yield)
        finally:
            self._tests[item.nodeid] = {"seconds": _spent() - begun, "lines": {}}
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tests that fail without a mutation can't notice one."""
        if report.failed or report.skipped:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the map."""
        self._coverage.stop()
        data = self._coverage.get_data()
        for path in data.measured_files():
            name = os.path.relpath(path)
            for line, contexts in data.contexts_by_lineno(path).items():
                for context in set(contexts) & set(self._tests):
                    self._tests[context]["lines"].setdefault(name, []).append(line)
        kept = {name: facts for name, facts in self._tests.items() if name not in self._failed}
        self._path.write_text(json.dumps(kept), encoding="utf-8")


class _Trial:
    """Tries one mutant after the other, each in a fork of the process that has collected the tests."""

    def __init__(self, config: pytest.Config) -> None:
        path = config.getoption("--mutation-map")
        self._tests = json.loads(path.read_text(encoding="utf-8")) if path else {}
        self._plan = config.getoption("--mutation-plan")
        self._log = config.getoption("--mutation-log")
        self._imports = not path

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of the tests, the mutants."""
        self._tests = self._tests or _by_import(session.items)
        items = {item.nodeid: item for item in session.items if item.nodeid in self._tests}
        with self._log.open("a", encoding="utf-8") as log:
            done = {_place(json.loads(line)) for line in self._log.read_text(encoding="utf-8").splitlines()}
            for line in self._plan.read_text(encoding="utf-8").splitlines():
                mutant = json.loads(line)
                if _place(mutant) in done:
                    continue
                begun = time.monotonic()
                chosen = self._chosen(mutant, items)
                result = self._try(mutant, [items[name] for name in chosen])
                facts = {"result": result, "tests": len(chosen), "wall": round(time.monotonic() - begun, 1)}
                log.write(json.dumps(mutant | facts) + "\n")
                log.flush()
                os.write(2, f"{facts} {mutant['path']}:{mutant['line']}\n".encode())
        return True

    def _chosen(self, mutant: dict[str, Any], items: dict[str, pytest.Item]) -> list[str]:
        """The tests that reach the statement, the folder's own and the quickest first, then its others."""
        path, (first, last) = mutant["path"], mutant["statement"]
        own = f"tests/{Path(path).parent.name}/"

        def rank(name: str) -> tuple[bool, bool, float]:
            lines = self._tests[name]["lines"].get(path, [])
            direct = any(first <= line <= last for line in lines) or (mutant["function"] is None and lines)
            return not direct, not name.startswith(own), self._tests[name]["seconds"]

        chosen, spent = [], 0.0
        for name in sorted(items, key=rank):
            foreign, elsewhere, seconds = rank(name)
            if (foreign and (elsewhere or self._imports)) or spent > MOST:
                break
            chosen.append(name)
            spent += seconds
        return chosen

    def _try(self, mutant: dict[str, Any], chosen: list[pytest.Item]) -> str:
        path = Path(mutant["path"])
        original = path.read_text(encoding="utf-8")
        path.write_text(mutant["source"], encoding="utf-8")
        seconds = 20 + 5 * sum(self._tests[item.nodeid]["seconds"] for item in chosen)
        try:
            child = os.fork()
            if not child:
                _run(mutant, original, chosen, int(seconds))
            status = _wait(child, 4 * seconds)
        finally:
            path.write_text(original, encoding="utf-8")
        return {0: "survived", 256: "killed"}.get(status, "timeout")


def _by_import(items: list[pytest.Item]) -> dict[str, dict[str, Any]]:
    """Without a map: the tests that import a module reach all of it; those with many examples take long."""
    found = {}
    for item in items:
        names = _imported(item.path)
        slow = hasattr(getattr(item, "function", None), "hypothesis")
        everything = {name: list(range(1, 351)) for name in names}
        found[item.nodeid] = {"seconds": 3.0 if slow else 0.1, "lines": everything}
    return found


@cache
def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tempo_cli"):
            whole = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            names |= {f"src/{name.replace('.', '/')}.py" for name in whole}
    return names


def _place(mutant: dict[str, Any]) -> tuple[str, str, int]:
    return mutant["path"], mutant["operator"], mutant["occurrence"]


def _wait(child: int, seconds: float) -> int:
    """The status of a child that leads a group of its own; after `seconds`, its end."""
    limit = time.monotonic() + seconds
    found, status = 0, 0
    while not found and time.monotonic() < limit:
        time.sleep(0.02)
        found, status = os.waitpid(child, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return status if found else os.waitpid(child, 0)[1]


def _run(mutant: dict[str, Any], original: str, chosen: list[pytest.Item], seconds: int) -> None:
    """In the child: the mutant takes the original's place, the tests run until one fails. Does not return."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (24 << 30, 24 << 30))
    code = 1
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        if mutant["function"] and _swap(mutant, original):
            code = _here(chosen)
        else:
            code = _anew([item.nodeid for item in chosen])
    finally:
        os._exit(code)


def _here(chosen: list[pytest.Item]) -> int:
    session = chosen[0].session if chosen else None
    for number, item in enumerate(chosen):
        following = chosen[number + 1] if number + 1 < len(chosen) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session is not None and session.testsfailed:
            return 1
    return 0


def _anew(names: list[str]) -> int:
    """Import the source and the tests again."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("tempo_cli", "tests", "conftest"):
            del sys.modules[name]
    if not names:
        return 0
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--tb=no", *names]) != 0)


def _swap(mutant: dict[str, Any], original: str) -> bool:
    """Give the living functions of the mutated module the mutated code; whether there were any."""
    path = str(Path(mutant["path"]).resolve())
    name, first = mutant["function"]
    old, new = (_codes(compile(text, path, "exec")) for text in (original, mutant["source"]))
    fresh = {(code.co_qualname, code.co_firstlineno): code for code in new}
    if len({(code.co_qualname, code.co_firstlineno) for code in old}) != len(fresh):
        return False
    swapped = False
    for value in gc.get_objects():
        if isinstance(value, FunctionType) and value.__code__.co_filename == path:
            key = value.__code__.co_qualname, value.__code__.co_firstlineno
            if key in fresh:
                try:
                    value.__code__ = fresh[key]
                except ValueError:  # other free variables
                    return False
                swapped = swapped or key == (name, first)
    return swapped


def _codes(code: CodeType) -> list[CodeType]:
    return [code, *(found for part in code.co_consts if isinstance(part, CodeType) for found in _codes(part))]

"""Mutations of the source, drawn at random: which of them does no test notice?

    pip install cosmic-ray coverage
    python bench/mutation.py plan --sample 200
    python bench/mutation.py plan --again before.jsonl

Works on a copy of the tree. First the tests run once and note which lines each of them reaches. Then each
mutant meets the tests that reach its statement, quickest first, in a fork of a process that has imported
them all; a mutant within a function only replaces that function's code. One that survives meets all tests
of its folder. A mutant is killed by a failed test, or by time: 5 times what its tests took, and 20 s.
Left out are mutants that don't compile, and those of annotations and `TYPE_CHECKING`.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import unified_diff
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Path("src/tempo_cli")
TESTS = {  # the tests that know a folder, beside those of its own name
    "plan": ("unit", "model", "runtime", "hub"),
    "hub": ("unit", "model"),
    "model": ("unit", "runtime"),
    "video": ("unit", "clip"),
    "cli": ("unit",),
}


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the operator's n-th place, and the lines of the statement that it is in.

    `function` is the qualified name and first line of the outermost function, None at a module's top level.
    """

    path: str
    operator: str
    occurrence: int
    line: int
    column: int
    statement: tuple[int, int]
    function: tuple[str, int] | None


def main() -> None:
    """Read the command line, run, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", choices=sorted(TESTS), help="the folder of the source that is mutated")
    parser.add_argument("--sample", type=int, default=200, help="mutants drawn (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--tests", nargs="*", help="test files or folders, instead of the folder's own")
    parser.add_argument("--again", type=Path, help="a log: only the mutants that survived there")
    parser.add_argument("--log", type=Path, help="one JSON line for each mutant (default: none)")
    parser.add_argument("--map", type=Path, help="where the tests' lines are kept, or read if it is there")
    parser.add_argument("--by-import", action="store_true", help="no map: the tests that import the module")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tempo-mutation-") as folder:
        tree = _copy(Path(folder) / "tree")
        drawn = _again(given.again) if given.again else _draw(given.folder, given.sample, given.seed)
        tests = given.tests or [f"tests/{name}" for name in (given.folder, *TESTS[given.folder])]
        lines = ["--mutation-map", given.map.resolve() if given.map else Path(folder) / "map.json"]
        if given.by_import:
            lines = []
        elif not lines[1].exists():
            _pytest(tree, [*lines, *tests])
        plan = Path(folder) / "plan.jsonl"
        with plan.open("w", encoding="utf-8") as file:
            for mutant in drawn:
                file.write(json.dumps(asdict(mutant) | {"source": _mutated(mutant)}) + "\n")
        log = given.log.resolve() if given.log else Path(folder) / "log.jsonl"
        _pytest(tree, [*lines, "--mutation-plan", plan, "--mutation-log", log, *tests])
        _report(log)


def _copy(tree: Path) -> Path:
    """The working tree without what git ignores; the tests' examples are not shrunk there."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    settings = tree / "tests" / "conftest.py"
    text = settings.read_text(encoding="utf-8")
    quick = 'register_profile("tempo", phases=_PHASES, report_multiple_bugs=False, '
    head = "from hypothesis import Phase\n\n_PHASES = (Phase.explicit, Phase.generate)\n"
    changed = text.replace('register_profile("tempo", ', quick).replace(
        "# the same examples in", head + "# the same examples in"
    )
    assert quick in changed
    settings.write_text(changed, encoding="utf-8")
    return tree


def _pytest(tree: Path, arguments: list[Any]) -> None:
    paths = [tree / "src", tree, ROOT / "bench", *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant of the same second and size would go unseen
    command = [sys.executable, "-m", "pytest", "-p", "mutation_tests", "-p", "no:cacheprovider", "--tb=no"]
    subprocess.run([*command, *map(str, arguments)], cwd=tree, env=environment, check=False)


def _draw(folder: str, count: int, seed: int) -> list[Mutant]:
    """Mutants of `count` places of a folder, one of each place: operators have up to eleven replacements."""
    chance = random.Random(seed)
    places: dict[tuple[str, int, int, str], list[Mutant]] = {}
    for path in sorted((ROOT / SOURCE / folder).glob("*.py")):
        for mutant in _mutants(path):
            kind = mutant.operator.partition("_")[0]
            places.setdefault((mutant.path, mutant.line, mutant.column, kind), []).append(mutant)
    drawn: list[Mutant] = []
    for key in chance.sample(list(places), len(places)):
        if len(drawn) == count:
            break
        mutant = chance.choice(places[key])
        if _compiles(mutant):
            drawn.append(mutant)
    total = sum(map(len, places.values()))
    print(f"{folder}: {len(drawn)} mutants of {total} at {len(places)} places, seed {seed}", flush=True)
    return drawn


def _again(log: Path) -> list[Mutant]:
    """The mutants that survived, looked up again by their place: the source is as it was."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    fields = Mutant.__dataclass_fields__
    tuples = {"statement", "function"}
    return [
        Mutant(**{name: tuple(row[name]) if name in tuples and row[name] else row[name] for name in fields})
        for row in rows
        if row["result"] == "survived"
    ]


def _mutants(path: Path) -> Iterator[Mutant]:
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    text = path.read_text(encoding="utf-8")
    nodes, places = list(ast_nodes(get_ast(text))), _Places(text)
    for name in plugins.operator_names():
        operator = plugins.get_operator(name)
        if operator.arguments():
            continue
        positions = (place for node in nodes for place in operator().mutation_positions(node))
        for occurrence, ((line, column), _) in enumerate(positions):
            if not places.excluded(line, column, name):
                where = str(path.relative_to(ROOT))
                home = places.function(line, column)
                yield Mutant(where, name, occurrence, line, column, places.statement(line), home)


@cache
def _mutated(mutant: Mutant) -> str:
    from cosmic_ray import plugins
    from cosmic_ray.mutating import mutate_code

    text = (ROOT / mutant.path).read_text(encoding="utf-8")
    operator = plugins.get_operator(mutant.operator)()
    return str(mutate_code(text, operator, mutant.occurrence))


def _compiles(mutant: Mutant) -> bool:
    try:
        changed = ast.dump(ast.parse(_mutated(mutant)))
    except SyntaxError:
        return False
    return changed != _dumped(mutant.path)


@cache
def _dumped(path: str) -> str:
    return ast.dump(ast.parse((ROOT / path).read_text(encoding="utf-8")))


class _Places:
    """Where a line of a module belongs."""

    def __init__(self, text: str) -> None:
        self._tree = ast.parse(text)
        self._functions = list(self._outermost(self._tree, ""))
        self._statements = [node for node in ast.walk(self._tree) if isinstance(node, ast.stmt)]
        self._annotations: list[ast.expr] = []
        for node in ast.walk(self._tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._annotations += filter(None, [node.returns])
            elif isinstance(node, ast.AnnAssign | ast.arg):
                self._annotations += filter(None, [node.annotation])

    def _outermost(self, parent: ast.AST, prefix: str) -> Iterator[tuple[ast.FunctionDef, str]]:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.FunctionDef):
                yield node, prefix + node.name
            elif isinstance(node, ast.ClassDef):
                yield from self._outermost(node, f"{prefix}{node.name}.")
            else:
                yield from self._outermost(node, prefix)

    def excluded(self, line: int, column: int, operator: str) -> bool:
        """Whether only a type checker would notice."""
        within = any(
            (node.lineno, node.col_offset) <= (line, column) < (node.end_lineno, node.end_col_offset)
            for node in self._annotations
        )
        union = "BinaryOperator_BitOr" in operator and self.function(line, column) is None
        return within or union or "TYPE_CHECKING" in ast.unparse(self._innermost(line)).split("\n")[0]

    def _innermost(self, line: int) -> ast.stmt:
        around = [node for node in self._statements if _first(node) <= line <= (node.end_lineno or 0)]
        return min(around, key=lambda node: (node.end_lineno or 0) - _first(node))

    def statement(self, line: int) -> tuple[int, int]:
        """The first and last line of the statement, of its head if it has a body."""
        node = self._innermost(line)
        body = getattr(node, "body", None)
        last = node.end_lineno or node.lineno
        return _first(node), max(node.lineno, min(last, _first(body[0]) - 1)) if body else last

    def function(self, line: int, column: int) -> tuple[str, int] | None:
        """The outermost function whose body holds the place."""
        for node, name in self._functions:
            start = (node.body[0].lineno, node.body[0].col_offset)
            if start <= (line, column) and line <= (node.end_lineno or 0):
                return name, _first(node)
        return None


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(part.lineno for part in decorators)])


def _report(log: Path) -> None:
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["result"] == "survived":
            before = (ROOT / row["path"]).read_text(encoding="utf-8").splitlines()
            after = row["source"].splitlines()
            changes = [
                text for text in unified_diff(before, after, n=0, lineterm="") if text[:2] not in ("--", "++")
            ]
            print(f"\n{row['path']}:{row['line']} ({row['tests']} tests)", *changes[1:], sep="\n    ")
    counts = Counter(row["result"] for row in rows)
    files = Counter(row["path"] for row in rows if row["result"] == "survived")
    print("\nsurvivors:", ", ".join(f"{Path(name).name} {count}" for name, count in files.most_common()))
    print(f"{len(rows)} mutants:", ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))


if __name__ == "__main__":
    main()

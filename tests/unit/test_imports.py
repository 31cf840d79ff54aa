"""The layers, read from the source: lower ones never import upper ones, and each duty has one place."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tempo_cli

ROOT = Path(tempo_cli.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
PLAN = sorted(path.stem for path in (ROOT / "plan").glob("[a-z]*.py"))
PURE = (*(f"plan.{name}" for name in PLAN), "types", "config", "errors", "events", "schema", "checked")
IMPURE = ("torch", "transformers", "time", "datetime", "random", "secrets", "os", "subprocess", "socket")


def module(path: Path) -> str:
    """`model.llm` for ROOT/model/llm.py; a package has the name of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Every node under `node` that is not for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from at_run_time(child)


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports at run time; our own begin with `tempo_cli.`."""
    package = ["tempo_cli", *path.relative_to(ROOT).parts[:-1]]
    found: set[str] = set()
    for node in at_run_time(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{home}.{alias.name}" for alias in node.names}
    return found


def importers(*names: str) -> set[str]:
    """Modules that import one of `names`, or something in it."""

    def is_one(found: str) -> bool:
        return any(found == name or found.startswith(f"{name}.") for name in names)

    return {module(path) for path in SOURCES if any(is_one(found) for found in imports(path))}


def inside(*packages: str) -> set[str]:
    return {module(path) for path in SOURCES if module(path).split(".")[0] in packages}


def test_the_source_is_read():
    assert {"model.llm", "video.decode", *PURE} <= {module(path) for path in SOURCES}
    llm = imports(ROOT / "model" / "llm.py")
    assert {"torch", "tempo_cli.config.ModelDimensions", "tempo_cli.model.projector.build_projector"} <= llm
    assert "torch" not in imports(ROOT / "types.py")  # it stands under TYPE_CHECKING


LAYERS = (  # from the lowest up; a module imports its own layer and those below
    {
        "errors",
        "types",
        "config",
        "events",
        "checked",
        "files",
        "tokenizer_files",
        "vocabulary",
        "leftovers",
        "scope",
        "schema",
        "system_memory",
        "texts",
        "written",
        "report",
        "plan",
        "nano",
    },
    {"frames"},
    {"video", "model", "hub"},
    {"runtime"},
    {"clip", "tempo"},
    {"batch"},
    {"doctor"},
    {"cli", "__main__"},
)
LARGE = {  # classes beyond 200 lines, and why
    "Tempo": "the front door: half of its lines are signatures and docstrings of the public API",
    "Clip": "likewise",
}
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def test_every_module_has_its_layer():
    assert {module(path).split(".")[0] for path in SOURCES} - {""} <= set(LAYER)


def test_every_module_is_on_the_map():
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    words = set(re.findall(r"\w+", page))
    parts = [path.relative_to(ROOT) for path in ROOT.rglob("*.py")]
    named = [part for part in parts if part.parts[0] not in ("cli", "doctor", "nano")]
    assert [str(part) for part in named if part.stem.strip("_") not in {*words, "init", "main"}] == []


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_lower_layers_never_import_upper_ones(path):
    own = module(path).split(".")[0]
    if own == "":
        return  # the package's own lazy front door
    packages = {name.split(".")[1] for name in imports(path) if name.startswith("tempo_cli.")}
    above = {package for package in packages if LAYER.get(package, 0) > LAYER[own]}
    assert above == set()


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_no_module_has_more_than_350_lines_and_no_class_more_than_200(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    classes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]
    sizes = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in classes}
    assert {name: size for name, size in sizes.items() if size > 200 and name not in LARGE} == {}


def test_the_three_in_the_middle_do_not_know_each_other():
    for one in ("video", "model", "hub"):
        others = [f"tempo_cli.{other}" for other in ("video", "model", "hub") if other != one]
        assert importers(*others) & inside(one) == set()


def test_clip_and_tempo_are_the_only_ones_that_tell_the_story():
    upper = {"", "__main__", "tempo", *inside("cli", "doctor", "batch")}
    assert importers("tempo_cli.clip") <= {"", "tempo"}
    assert importers("tempo_cli.tempo") <= upper


def test_nothing_but_the_command_line_knows_the_doctor():
    assert importers("tempo_cli.doctor") <= inside("cli", "doctor")


def test_nothing_but_the_entry_point_knows_the_command_line():
    assert importers("tempo_cli.cli") <= inside("cli", "__main__")


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_decides_without_torch_files_or_chance(name):
    assert name not in importers(*IMPURE)
    assert name not in importers("tempo_cli.video", "tempo_cli.model", "tempo_cli.tempo", "tempo_cli.cli")


def test_nothing_needs_what_trains_and_measures():
    assert importers("training", "bench", "tests") == set()


def test_only_video_starts_processes():
    assert importers("subprocess", "multiprocessing", "os.system", "os.popen") <= inside("video")


def test_libav_is_met_only_in_the_process_that_reads():
    reading = (
        "announced demuxer encryption fields keyframes parameter_sets probe references refusal "
        "sequence_headers shown timeline tracks"
    )
    assert importers("av") == {f"video.{name}" for name in reading.split()}
    assert importers("tempo_cli.video.probe") == {"video.reader"}  # when it has limited itself
    code = "from tempo_cli import open_video, probe; from tempo_cli.video import reader, selftest, wire"
    assert "av" not in imported(code)


def test_only_the_checkpoint_reads_the_models_files():
    readers = importers("pathlib", "os", "io", "safetensors", "huggingface_hub")
    assert readers & inside("model") == {"model.checkpoint", "model.tensor_files"}


def test_only_the_hub_speaks_to_the_hub():
    assert importers("huggingface_hub", "httpx2", "filelock") == {
        "hub.environment",
        "hub.inventory",
        "hub.pace",
        "hub.refusals",
        "hub.remote",
        "hub.store",
    }
    beside = (
        "torch",
        "transformers",
        "tempo_cli.model",
        "tempo_cli.video",
        "tempo_cli.tempo",
        "tempo_cli.cli",
    )
    assert importers(*beside) & inside("hub") == set()


def test_only_the_command_line_draws_on_the_screen():
    assert importers("typer", "rich") <= inside("cli")
    names = {
        module(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in ("print", "input")
    }
    assert names <= inside("cli")


def imported(code: str) -> set[str]:
    """Everything that a fresh Python has imported after `code`."""
    code = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ["tempo_cli", "tempo_cli.cli", "tempo_cli.cli.main"])
def test_importing_the_command_does_not_import_torch(name):
    heavy = {"torch", "transformers", "av", "huggingface_hub", "httpx2", "tokenizers"}
    assert imported(f"import {name}") & heavy == set()


def test_public_names_import_no_more_than_they_need():
    heavy = {"torch", "transformers", "av", "numpy", "PIL"}
    assert imported("import tempo_cli; dir(tempo_cli)") & {*heavy, "tempo_cli.errors"} == set()
    assert imported("from tempo_cli import OutOfMemoryError, SamplingOptions, Warned") & heavy == set()
    assert imported("from tempo_cli import probe, run_from_json, VideoInfo") & heavy == {"numpy"}


NAMES = [
    "Answer",
    "AnswerText",
    "AnsweredRun",
    "BudgetOptions",
    "CacheOptions",
    "CancelScope",
    "CancelledError",
    "Clip",
    "Event",
    "Evidence",
    "Exchange",
    "FrameShape",
    "GenerationOptions",
    "KeepOptions",
    "Listener",
    "LoadOptions",
    "ModelError",
    "NotDownloadedError",
    "OutOfMemoryError",
    "Progress",
    "Run",
    "SamplingOptions",
    "SegmentReport",
    "SetupError",
    "Tempo",
    "TempoError",
    "UsageError",
    "Video",
    "VideoError",
    "VideoInfo",
    "Warned",
    "__version__",
    "open_video",
    "probe",
    "read_shape",
    "run_from_json",
]  # fmt: skip


def for_type_checkers() -> set[str]:
    """What the package imports under TYPE_CHECKING."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {alias.asname or alias.name for node in ast.walk(block) for alias in getattr(node, "names", [])}


def test_the_public_names_are_all_there():
    assert tempo_cli.__all__ == dir(tempo_cli) == NAMES
    assert for_type_checkers() == set(NAMES) - {"__version__"}
    for name in set(NAMES) - {"Event", "Evidence", "Listener", "__version__"}:
        assert getattr(tempo_cli, name).__name__ == name
    assert isinstance(tempo_cli.Progress("load", 0, 1), tempo_cli.Event)
    assert tempo_cli.Listener.__args__[:-1] == (tempo_cli.Event,)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = tempo_cli.nothing

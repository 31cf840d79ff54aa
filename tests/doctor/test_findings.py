"""The values, the machine, and the settings with their origins."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempo_cli.doctor import (
    DEFAULT,
    FILE,
    Configuration,
    Finding,
    Level,
    Setting,
    findings_to_json,
    machine,
    settings,
)
from tempo_cli.doctor.findings import guarded
from tempo_cli.errors import SetupError, UsageError

from .conftest import by_name

GIB = 2**30


def test_what_is_bad_says_how_to_mend_it() -> None:
    for level in (Level.warning, Level.problem):
        with pytest.raises(ValueError, match="without a hint: broken"):
            Finding("x", level, "broken")


def test_a_check_that_breaks_is_a_finding_and_hides_nothing() -> None:
    def breaks() -> Iterator[Finding]:
        yield Finding("first", Level.ok, "fine")
        raise KeyError("a\nb")

    first, second = guarded("it", breaks)
    assert (first.check, second.check, second.level) == ("first", "it", Level.warning)
    assert second.message == "the check itself failed: KeyError: 'a\\nb'"
    assert second.hint


def test_an_error_of_ours_is_a_problem_with_its_hint() -> None:
    def refuses() -> Iterator[Finding]:
        raise SetupError("no such thing", "Get one.")

    assert list(guarded("it", refuses)) == [Finding("it", Level.problem, "no such thing", "Get one.")]


def test_json() -> None:
    found = [("a", Finding("x", Level.ok, "fine", facts={"n": 1})), ("b", Finding("y", Level.note, "é"))]
    value = json.loads(findings_to_json(found))
    assert value.pop("version")
    assert value == {
        "schema": "tempo.doctor/1",
        "status": "ok",
        "checks": [
            {"section": "a", "check": "x", "level": "ok", "message": "fine", "hint": None, "facts": {"n": 1}},
            {"section": "b", "check": "y", "level": "note", "message": "é", "hint": None, "facts": {}},
        ],
    }
    found.append(("b", Finding("z", Level.problem, "broken", "Mend it.")))
    assert json.loads(findings_to_json(found))["status"] == "problem"


@pytest.mark.parametrize(("free", "level"), [(4 * GIB - 1, "warning"), (4 * GIB, "ok"), (None, "note")])
def test_memory_that_is_short(free: int | None, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "host_free_bytes", lambda: free)
    found = by_name(machine.findings())
    assert list(found) == ["tempo", "python", "system", "memory"]
    assert found["memory"].level == level


def test_settings_with_their_origins() -> None:
    given = (
        Setting("fps", 4.0, "TEMPO_FPS"),
        Setting("no-ata", True, FILE),
        Setting("seed", None, DEFAULT),
        Setting("window", 8, "TEMPO_WINDOW", "TEMPO_WINDOW says 'x': no number"),
    )
    strangers = (("TEMPO_DEVCE", "TEMPO_DEVICE"), ("TEMPO_XYZ", None))
    found = list(settings.findings(Configuration(Path("/none/config.toml"), None, given, strangers)))
    no_such = "is set, but tempo has no such setting"
    assert [(finding.check, finding.level.value, finding.message, finding.hint) for finding in found] == [
        ("file", "ok", "/none/config.toml (there is none)", None),
        ("variable", "note", f"TEMPO_DEVCE {no_such}", "Did you mean TEMPO_DEVICE?"),
        ("variable", "note", f"TEMPO_XYZ {no_such}", "Unset it, or see: tempo ask --help"),
        ("fps", "ok", "4.0 (TEMPO_FPS)", None),
        ("no-ata", "ok", "yes (configuration file)", None),
        ("seed", "ok", "-", None),
        ("window", "problem", "TEMPO_WINDOW says 'x': no number", "Correct or unset it."),
    ]
    assert found[3].facts == {"value": 4.0, "origin": "TEMPO_FPS"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fps", -1.0, "fps is -1; it can be from 1e-06 to 1,000"),
        ("budget", 0, "budget is 0; it can be from 1 to 1,000,000,000"),
        ("seed", 1, None),
    ],
)
def test_a_value_that_ask_would_refuse_is_a_problem(name: str, value: object, message: str | None) -> None:
    given = (Setting(name, value, "TEMPO_X"),)
    found = list(settings.findings(Configuration(Path("/none"), None, given, ())))
    assert [finding.message for finding in found if finding.level == "problem"] == [message] * bool(message)


def test_a_broken_file_is_a_problem() -> None:
    error = UsageError("the file is broken", "Correct it.")
    found = by_name(settings.findings(Configuration(Path("/none"), error, (), ())))
    assert found["file"] == Finding(
        "file", Level.problem, "the file is broken", "Correct it.", {"path": "/none", "exists": False}
    )

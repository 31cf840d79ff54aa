"""`tempo doctor` as a command: exit codes, the JSON, the screen, and settings with their origins."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli.hub.locations import PACKAGED

from .conftest import FRACTAL, MODEL, Outcome, on_terminal, spawn

Tempo = Callable[..., Outcome]
Checks = dict[tuple[str, str], dict[str, object]]

NOTHING = "Vision-CAIR/Tempo-6B: not downloaded"


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tiny model, no GPU, offline, nothing of whoever runs the tests: here and in a process of its own."""
    monkeypatch.setenv("TEMPO_MODEL", str(MODEL))
    monkeypatch.setenv("TEMPO_DEVICE", "cpu")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def checks(done: Outcome) -> Checks:
    """Everything but the facts, by section and check."""
    return {
        (check["section"], check["check"]): {key: check[key] for key in ("level", "message", "hint")}
        for check in done.json["checks"]
    }


def value(done: Outcome, name: str) -> tuple[object, object]:
    """A setting's value and its origin."""
    found = [check["facts"] for check in done.json["checks"] if check["check"] == name]
    (facts,) = [facts for facts in found if "origin" in facts]
    return facts["value"], facts["origin"]


def test_a_healthy_machine(tempo: Tempo) -> None:
    done = tempo("doctor", "--json")
    assert (done.code, done.err) == (0, "")
    report = done.json
    assert list(report) == ["schema", "status", "version", "checks"]
    assert (report["schema"], report["status"]) == ("tempo.doctor/1", "ok")
    sections = list(dict.fromkeys(check["section"] for check in report["checks"]))
    assert sections == ["machine", "settings", "ffmpeg", "cache", "models", "torch"]
    keys = ["section", "check", "level", "message", "hint", "facts"]
    assert all(list(check) == keys for check in report["checks"])
    assert {check["level"] for check in report["checks"]} <= {"ok", "note", "warning"}
    found = checks(done)
    assert found["torch", "device"]["message"] == "ask runs on cpu in float32"
    assert found["models", "hub"]["level"] == "note"
    assert found["models", "model"]["level"] == "ok"
    assert found["ffmpeg", "decoding"]["message"] == "all 8 frames of a test clip"


def test_where_only_the_default_model_is_missing_nano_is_named(
    tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ask` can run: with nano, or once the model is downloaded."""
    monkeypatch.delenv("TEMPO_MODEL")
    done = tempo("doctor", "--json")
    assert (done.code, done.json["status"]) == (0, "ok")
    check = checks(done)["models", "model"]
    assert (check["level"], check["message"]) == ("warning", f"{NOTHING}, and can't be downloaded: offline")
    assert check["hint"].startswith(
        "Go online, then run: tempo pull Vision-CAIR/Tempo-6B; or use --model nano: nano "
    )
    text = tempo("doctor")
    assert text.code == 0
    assert f"  ! model          {NOTHING}, and can't be downloaded: offline\n" in text.out
    assert text.out.endswith("\n\n1 warning: tempo ask can run.\n")


def test_a_model_of_ones_own_that_is_missing_is_exit_code_5(
    tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPO_MODEL", "some/model")
    done = tempo("doctor")
    assert done.code == 5
    assert "  ✗ model          some/model: not downloaded" in done.out
    assert done.out.endswith("\n\n1 problem: tempo ask can't run until this is fixed.\n")


@pytest.mark.parametrize(
    ("variable", "given", "place"),
    [
        ("TEMPO_DEVICE", "cuda:7", ("torch", "device")),
        ("TEMPO_DTYPE", "int3", ("torch", "device")),
        ("TEMPO_FFMPEG", "nowhere", ("ffmpeg", "ffmpeg")),
        ("TEMPO_MODEL", "no where", ("models", "model")),
        ("TEMPO_FPS", "many", ("settings", "fps")),
        ("TEMPO_FPS", "-1", ("settings", "values")),
        ("TEMPO_TOP", "some", ("settings", "top")),
        ("TEMPO_CONFIG", "/none/config.toml", ("settings", "file")),
    ],
)
def test_what_ask_would_refuse_is_exit_code_5(
    variable: str, given: str, place: tuple[str, str], tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, given)
    done = tempo("doctor", "--json")
    assert done.code == 5
    bad = {where: check for where, check in checks(done).items() if check["level"] == "problem"}
    assert list(bad) == [place]
    assert bad[place]["message"]
    assert bad[place]["hint"]
    assert tempo("ask", FRACTAL, "what").code != 0


def test_no_torch_is_exit_code_5(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    done = tempo("doctor", "--json")
    assert done.code == 5
    assert [where for where in checks(done) if where[0] == "torch"] == [("torch", "torch")]


def test_a_check_that_breaks_is_told_without_a_traceback(
    tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> str:
        raise ZeroDivisionError("never divide")

    monkeypatch.setattr("platform.python_version", broken)
    done = tempo("doctor")
    assert (done.code, done.err) == (0, "")
    assert "  ! python         the check itself failed: ZeroDivisionError: never divide\n" in done.out
    assert "  ✓ decoding       all 8 frames of a test clip\n" in done.out
    assert done.out.endswith("\n\n1 warning: tempo ask can run.\n")


def test_where_every_value_came_from(tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The doctor's answer is the one that ask acts on."""
    settings = tmp_path / "config.toml"
    settings.write_text("window = 6\nmax-frames = 12\nno-ata = true\n")
    monkeypatch.setenv("TEMPO_CONFIG", str(settings))
    monkeypatch.setenv("TEMPO_WINDOW", "5")
    monkeypatch.setenv("TEMPO_SEED", "")
    monkeypatch.setenv("TEMPO_START", "0:01")
    done = tempo("doctor", "--json")
    assert done.code == 0
    assert value(done, "window") == (5, "TEMPO_WINDOW")
    assert value(done, "max-frames") == (12, "configuration file")
    assert value(done, "no-ata") == (True, "configuration file")
    assert value(done, "seed") == (None, "default")
    assert value(done, "start") == (1.0, "TEMPO_START")
    assert value(done, "budget") == (8192, "default")
    assert value(done, "color") == ("auto", "default")
    names = [check["check"] for check in done.json["checks"] if "origin" in check["facts"]]
    assert len(set(names)) == len(names)
    run = tempo("ask", FRACTAL, "what", "--max-new-tokens", 1, "--json").json
    assert (run["sampling"]["window"], run["sampling"]["frames"]) == (5, 12)
    assert run["budget"]["mode"] == "off"
    shown = tempo("doctor").out
    assert "  ✓ window         5 (TEMPO_WINDOW)\n" in shown
    assert re.search(r"  ✓ defaults       .*budget 8192, context -, ", shown)


def test_a_misspelt_variable_is_noted(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPO_MAXFRAMES", "3")
    done = tempo("doctor", "--json")
    assert done.code == 0
    assert checks(done)["settings", "variable"] == {
        "level": "note",
        "message": "TEMPO_MAXFRAMES is set, but tempo has no such setting",
        "hint": "Did you mean TEMPO_MAX_FRAMES?",
    }


@pytest.mark.parametrize("text", ["window =", "windw = 3", "window = [3]"])
def test_a_broken_file_stops_other_commands_but_not_this_one(
    text: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text(text)
    monkeypatch.setenv("TEMPO_CONFIG", str(settings))
    done = tempo("doctor", "--json")
    assert (done.code, done.err) == (5, "")
    found = checks(done)["settings", "file"]
    assert found["level"] == "problem"
    assert f"error: {found['message']}\n" in tempo("ask", FRACTAL, "what").err
    assert value(done, "window") == (8, "default")


def test_text_from_outside_is_shown_escaped(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPO_REVISION", "a\x1b[31m\n\u202eb[bold]")
    monkeypatch.setenv("TEMPO_\x1b[31m", "x")
    done = tempo("doctor")
    assert "  ✓ revision       a\\x1b[31m\\x0a\\u202eb[bold] (TEMPO_REVISION)\n" in done.out
    assert "TEMPO_\\x1b[31m is set, but tempo has no such setting\n" in done.out
    assert "\x1b" not in done.out


def test_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPO_MODEL", "some/model")
    code, shown = on_terminal("doctor")
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()]
    assert code == 5
    assert "\x1b[31m" in shown
    assert max(len(line) for line in lines) <= 80
    start = lines.index("  ✗ model          some/model: not downloaded, and can't be downloaded: offline")
    assert lines[start + 1] == "                   → Go online, then run: tempo pull some/model"
    nano = "  ✓ nano           nano, 7.5 MB, complete:"
    whole = f"{nano} {PACKAGED['nano']}"
    assert lines[start + 2] == (whole if len(whole) <= 80 else nano)
    assert lines[-1] == "1 problem: tempo ask can't run until this is fixed."


def test_each_line_comes_as_soon_as_it_is_known() -> None:
    """The first section stands in a pipe before torch is imported."""
    process = spawn("doctor")
    assert process.stdout is not None
    assert process.stdout.readline() == b"machine\n"
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_color(tempo: Tempo) -> None:
    assert "\x1b[" in tempo("doctor", "--color", "always").out
    assert "\x1b" not in tempo("doctor", "--color", "never").out


def test_it_leaves_nothing_behind(tempo: Tempo, tmp_path: Path) -> None:
    assert tempo("doctor").code == 0
    assert list(tmp_path.iterdir()) == []


# the device test


def test_a_device_that_computes_correctly(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the device test needs no network")

    monkeypatch.setattr("socket.socket.connect", forbidden)
    done = tempo("doctor", "--device-test")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == [
        "device test",
        "  ✓ device                cpu in float32 and bfloat16, against the CPU in float32",
    ]
    assert f"  ✓ {'argmax':<21} no difference" in lines
    assert lines[-1] == "The device computes correctly."
    report = tempo("doctor", "--device-test", "--json", "--dtype", "fp16").json
    assert (report["schema"], report["status"]) == ("tempo.doctor/1", "ok")
    assert {check["section"] for check in report["checks"]} == {"device test"}
    assert report["checks"][0]["facts"] == {"device": "cpu", "dtypes": ["float16"]}


def test_a_device_that_computes_wrongly_is_exit_code_5(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    import torch

    from tempo_cli.doctor import operations

    def wrong(values: torch.Tensor) -> torch.Tensor:
        return torch.softmax(values, -1) * (1.05 if values.dtype == torch.bfloat16 else 1)

    changed = [replace(one, run=wrong) if one.name == "softmax" else one for one in operations.OPERATIONS]
    monkeypatch.setattr(operations, "OPERATIONS", changed)
    done = tempo("doctor", "--device-test")
    assert done.code == 5
    assert re.search(
        r"  ✗ softmax               cpu computes wrongly in bfloat16: "
        r"largest error 0\.05\d*, tolerance 0\.02\n"
        r" +→ Try another --dtype, or reinstall torch: ",
        done.out,
    )
    assert done.out.count("✗") == 1
    assert done.out.endswith("\n\n1 of 30 checks failed.\n")
    assert tempo("doctor", "--device-test", "--json").json["status"] == "problem"
    assert tempo("doctor", "--device-test", "--dtype", "float32").code == 0


def test_a_device_that_is_not_there_is_exit_code_5(tempo: Tempo) -> None:
    done = tempo("doctor", "--device-test", "--device", "cuda:7")
    assert done.code == 5
    assert "  ✗ device                there is no " in done.out
    assert done.out.endswith("\n\n1 of 1 checks failed.\n")


def test_flags_go_before_what_is_set(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPO_DEVICE", "tpu")
    monkeypatch.setenv("TEMPO_DTYPE", "bf16")
    done = tempo("doctor", "--json", "--device", "cpu")
    assert done.code == 0
    assert (value(done, "device"), value(done, "dtype")) == (("cpu", "--device"), ("bf16", "TEMPO_DTYPE"))
    assert checks(done)["torch", "device"]["message"] == "ask runs on cpu in bfloat16"
    tested = tempo("doctor", "--device-test", "--json", "--device", "cpu")
    assert (tested.code, tested.json["checks"][0]["facts"]["dtypes"]) == (0, ["bfloat16"])

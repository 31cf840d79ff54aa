"""ffmpeg, the bundled one and stand-ins that are old, broken or hang."""

from pathlib import Path

import imageio_ffmpeg
import pytest

from tempo_cli.doctor import Level, accelerator, media
from tempo_cli.doctor.findings import guarded
from tempo_cli.video import selftest

from .conftest import BUNDLED, Script, by_name, outline

PICTURES = 8 * 256 * 144 * 3 // 2  # bytes of the clip as NVDEC gives it
VERSION = "[ \"$1\" = -version ] && echo 'ffmpeg version 7.1'"


def test_the_bundled_ffmpeg_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/none")
    found = by_name(media.findings(None))
    assert outline(found.values()) == [("binary", "ok"), ("decoders", "ok"), ("decoding", "ok")]
    assert found["binary"].facts["source"] == "bundled"
    assert found["decoders"].facts == {"available": list(selftest.SOFTWARE_DECODERS), "missing": []}
    assert found["decoding"].message == "all 8 frames of a test clip"


def test_an_old_ffmpeg_on_the_path_is_passed_over(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    old = script("ffmpeg", "echo 'ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright'")
    monkeypatch.setenv("PATH", str(Path(old).parent))
    found = by_name(media.findings(None))
    assert outline(found.values())[0] == ("on PATH", "note")
    assert found["on PATH"].message == f"{old} is ffmpeg 4.4, older than 5.1"
    assert found["binary"].facts["path"] == BUNDLED


def test_an_ffmpeg_that_must_decode_all_is_passed_over(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = script("ffmpeg", "echo 'ffmpeg version 6.1.1-3ubuntu5 Copyright'")
    monkeypatch.setenv("PATH", str(Path(older).parent))
    found = by_name(media.findings(None))
    assert found["on PATH"].message == f"{older} is ffmpeg 6.1; before 7.0 it must decode every frame"
    assert found["binary"].facts["path"] == BUNDLED
    assert "the bundled one, as there is none of 7.0 or newer on PATH" in found["binary"].message


def test_an_older_ffmpeg_without_a_bundled_one(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    older = script("ffmpeg", "echo 'ffmpeg version 6.1.1-3ubuntu5 Copyright'")
    monkeypatch.setenv("PATH", str(Path(older).parent))
    monkeypatch.setattr("tempo_cli.video.ffmpeg.bundled_ffmpeg", lambda: None)
    found = by_name(media.findings(None))
    assert "on PATH" not in found
    assert found["binary"].message == (
        f"ffmpeg 6.1, from PATH, which decodes every frame (from 7.0 on only what is needed): {older}"
    )


def test_a_dead_ffmpeg_on_the_path_is_passed_over(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = script("ffmpeg", "exit 1")
    monkeypatch.setenv("PATH", str(Path(dead).parent))
    found = by_name(media.findings(None))
    assert found["on PATH"].message == f"{dead} does not run"
    assert found["decoding"].level == "ok"


def test_no_ffmpeg_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError

    monkeypatch.setenv("PATH", "/none")
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    (found,) = guarded("ffmpeg", media.findings, None)
    assert (found.level, found.message) == (Level.problem, "no ffmpeg was found")


def test_one_that_was_asked_for_and_is_none() -> None:
    (found,) = guarded("ffmpeg", media.findings, "nowhere")
    assert (found.level, found.message) == (
        Level.problem,
        "'nowhere' is not an ffmpeg that runs on this machine",
    )


def test_one_that_decodes_nothing(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows its version and its decoders, as one does whose libraries do not fit."""
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    speaks = f'case "$*" in *-version*|*-decoders*) exec "{BUNDLED}" "$@";; esac'
    broken = script("other", f'{speaks}; echo "[fatal] no luck" >&2; exit 1')
    found = by_name(guarded("ffmpeg", media.findings, broken))
    assert outline(found.values()) == [("binary", "ok"), ("decoders", "ok"), ("decoding", "problem")]
    assert found["decoding"].message.startswith(f"'{broken}' decodes 0 of 8 frames of a good clip: ")
    assert "no luck" in found["decoding"].message


def test_one_that_hangs_is_ended(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "PATIENCE", 0.2)
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    hanging = script("other", f'case "$*" in *-version*) exec "{BUNDLED}" -version;; esac; exec sleep 600')
    found = by_name(guarded("ffmpeg", media.findings, hanging))
    assert outline(found.values()) == [("binary", "ok"), ("decoders", "problem"), ("decoding", "problem")]


def test_codecs_that_are_missing_are_named(script: Script) -> None:
    """The decoder that is called av1 works on special hardware only."""
    listed = " V..... = Video\n V....D av1 AV1\n VFS..D h264 H.264\n V....D vp9 VP9\n A....D vp8 no video"
    lister = script("other", f"cat <<'END'\n{listed}\nEND")
    missing = selftest.missing_decoders(lister)
    assert missing == ["hevc", "vp8", "av1", "mpeg4", "mpeg2", "prores", "theora", "wmv"]
    (found,) = media._decoders(lister)
    assert (found.level, found.message) == (Level.warning, f"none for {', '.join(missing)}")
    assert found.hint == f"Install a full build of ffmpeg, or set TEMPO_FFMPEG={BUNDLED}."


def test_nvdec_that_works(script: Script) -> None:
    works = script("ffmpeg", f"{VERSION} || head -c {PICTURES} /dev/zero")
    (found,) = media.nvdec(works)
    assert (found.level, found.message) == (Level.ok, "decodes a test clip")
    assert found.facts == {"works": True, "reason": None}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo '[CUDA @ 0x5] [error] No libnvcuvid.so.1' >&2; exit 1", "No libnvcuvid.so.1"),
        (f"head -c {PICTURES - 1} /dev/zero", "it ends without a message"),
        ("exec sleep 600", "no answer within 0 s"),
    ],
)
def test_nvdec_that_does_not_work_is_only_a_note(
    body: str, reason: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "PATIENCE", 0.3)
    broken = script("ffmpeg", f"{VERSION} && exit\n{body}")
    (found,) = media.nvdec(broken)
    assert (found.level, found.message) == (Level.note, f"does not decode a test clip: {reason}")


def test_nvdec_is_not_given_the_processor_to_fall_back_on() -> None:
    """On a machine without an NVIDIA GPU the bundled ffmpeg must fail; with one it may pass."""
    words = selftest._nvdec_arguments(BUNDLED)
    assert words[words.index("-hwaccel_output_format") + 1] == "cuda"
    assert words[words.index("-vf") + 1].startswith("hwdownload,")
    if accelerator.driver_cuda() is None:
        assert selftest.decode_clip_on_gpu(BUNDLED)

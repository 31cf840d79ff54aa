"""ffmpeg: which one, what it can decode, and whether it really does."""

import shutil
from collections.abc import Iterator

from ..config import CacheOptions
from .findings import Finding, Level, guarded


def findings(explicit: str | None) -> Iterator[Finding]:
    """The ffmpeg that `ask` would take.

    Args:
        explicit: the setting `ffmpeg`.

    Raises:
        SetupError: there is none that can be used.
    """
    from ..video.ffmpeg import find_ffmpeg

    yield from guarded("on PATH", _on_path)
    binary = find_ffmpeg(explicit)
    yield from guarded("binary", _binary, binary, explicit)
    yield from guarded("decoders", _decoders, binary)
    yield from guarded("decoding", _decoding, binary)


def nvdec(explicit: str | None) -> Iterator[Finding]:
    """Whether the GPU's decoder works; for machines that have an NVIDIA GPU."""
    from ..video.ffmpeg import find_ffmpeg
    from ..video.selftest import decode_clip_on_gpu

    reason = decode_clip_on_gpu(find_ffmpeg(explicit))
    facts = {"works": reason is None, "reason": reason}
    if reason is None:
        yield Finding("NVDEC", Level.ok, "decodes a test clip", facts=facts)
    else:
        message = f"does not decode a test clip: {reason}"
        hint = "No action needed: tempo decodes on the processor."
        yield Finding("NVDEC", Level.note, message, hint, facts)


def kept_frames(limit: int) -> Iterator[Finding]:
    """The decoded frames that later runs find.

    Args:
        limit: the setting `cache-size`, bytes.
    """
    from ..video.kept import frame_folder

    folder = frame_folder(CacheOptions(limit=limit))
    used = sum(entry.size for entry in folder.entries())
    facts = {"path": str(folder.path), "bytes": used, "limit": limit}
    trouble = folder.trouble()
    if trouble is None:
        message = f"{used / 1e9:.1f} of {limit / 1e9:.1f} GB: {folder.path}"
        yield Finding("decoded frames", Level.ok, message, facts=facts)
    else:
        message = f"can't be kept: {trouble}"
        yield Finding("decoded frames", Level.note, message, "Every run decodes its video again.", facts)


def _on_path() -> Iterator[Finding]:
    """Only what is wrong with it: `binary` says which one is taken."""
    from ..video.ffmpeg import OLDEST, PREFERRED, bundled_ffmpeg, ffmpeg_version

    place = shutil.which("ffmpeg")
    if place is None:
        return
    version = ffmpeg_version(place)
    if version is None:
        message = f"{place} does not run"
    elif version < OLDEST:
        message = f"{place} is ffmpeg {_name(version)}, older than {_name(OLDEST)}"
    elif version < PREFERRED and bundled_ffmpeg() is not None:
        message = f"{place} is ffmpeg {_name(version)}; before {_name(PREFERRED)} it must decode every frame"
    else:
        return
    yield Finding("on PATH", Level.note, message, "No action needed: tempo uses another one.")


def _binary(binary: str, explicit: str | None) -> Iterator[Finding]:
    from ..video.ffmpeg import PREFERRED, ffmpeg_version

    version = ffmpeg_version(binary)
    if version is None:
        hint = "Install ffmpeg 7.0 or newer, or reinstall imageio-ffmpeg."
        yield Finding("binary", Level.problem, f"'{binary}' does not run", hint)
        return
    source = "setting" if explicit else "PATH" if binary == shutil.which("ffmpeg") else "bundled"
    facts = {"path": binary, "version": _name(version), "source": source}
    origin = {
        "setting": "as set",
        "PATH": "from PATH",
        "bundled": f"the bundled one, as there is none of {_name(PREFERRED)} or newer on PATH",
    }[source]
    if version < PREFERRED:
        origin += f", which decodes every frame (from {_name(PREFERRED)} on only what is needed)"
    yield Finding("binary", Level.ok, f"ffmpeg {_name(version)}, {origin}: {binary}", facts=facts)


def _decoders(binary: str) -> Iterator[Finding]:
    from ..video.selftest import SOFTWARE_DECODERS, missing_decoders

    missing = missing_decoders(binary)
    there = [codec for codec in SOFTWARE_DECODERS if codec not in missing]
    facts = {"available": there, "missing": missing}
    if missing:
        hint = f"Install a full build of ffmpeg{_bundled_instead(binary)}."
        yield Finding("decoders", Level.warning, f"none for {', '.join(missing)}", hint, facts)
    else:
        yield Finding("decoders", Level.ok, ", ".join(there), facts=facts)


def _decoding(binary: str) -> Iterator[Finding]:
    from ..video.selftest import decode_clip

    frames = decode_clip(binary)
    yield Finding("decoding", Level.ok, f"all {frames} frames of a test clip", facts={"frames": frames})


def _bundled_instead(binary: str) -> str:
    from ..video.ffmpeg import bundled_ffmpeg

    bundled = bundled_ffmpeg()
    return f", or set TEMPO_FFMPEG={bundled}" if bundled and bundled != binary else ""


def _name(version: tuple[int, int]) -> str:
    return "built from source" if version[0] == 999 else ".".join(map(str, version))

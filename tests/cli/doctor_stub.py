"""`tempo doctor` on a machine that is the same everywhere; settings, kept frames and models are real."""

import os
import sys
from typing import Any

import tempo_cli.doctor.accelerator
import tempo_cli.doctor.machine
import tempo_cli.doctor.media
import tempo_cli.hub.inventory
from tempo_cli.doctor import Finding, Level

MACHINE = [
    Finding("python", Level.ok, "3.12 on Linux", facts={"version": "3.12"}),
    Finding("memory", Level.note, "little is free", "Close other programs."),
]
FFMPEG = [Finding("decoding", Level.warning, "no AV1", "Install an ffmpeg with `--enable-libdav1d`.")]
TORCH = [Finding("device", Level.ok, "ask runs on cpu in float32")]
NO_GPU = [Finding("device", Level.problem, "`device='cuda'`: there is no GPU", "Unset `device`.")]


def findings(problem: bool) -> dict[str, Any]:
    """What replaces functions of `tempo_cli.doctor`, by their place in it."""
    return {
        "machine": lambda: MACHINE,
        "media": lambda _: FFMPEG,
        "accelerator": lambda _: NO_GPU if problem else TORCH,
    }


if __name__ == "__main__":
    for name, function in findings("TEMPO_FPS" in os.environ).items():
        getattr(tempo_cli.doctor, name).findings = function
    tempo_cli.hub.inventory.PACKAGED = {}  # its folder has another name everywhere
    from tempo_cli.__main__ import main

    sys.argv[0] = "tempo"
    main()

"""What works on this machine, and what to do about what does not. Values only: nothing is printed here.

| module | looks at |
|---|---|
| `findings` | the values: findings, settings |
| `machine` | Python, platform, processor, memory |
| `media` | ffmpeg: the binary, its decoders, and whether it decodes; decoded frames on disk |
| `accelerator` | torch, driver, GPUs, attention, quantization, the device that was asked for |
| `weights` | the Hub, its cache, the models |
| `settings` | the configuration file, variables, and every value with its origin |
| `device_test` | whether a device computes rightly: `operations`, and nano's networks in `trial` |

Importing it imports nothing heavy: each check brings what it needs when its turn comes.
"""

from collections.abc import Iterator

from .findings import DEFAULT, FILE, Configuration, Finding, Level, Setting, findings_to_json, guarded

__all__ = [
    "DEFAULT",
    "FILE",
    "Configuration",
    "Finding",
    "Level",
    "Setting",
    "examine",
    "examine_device",
    "findings_to_json",
]


def examine(configuration: Configuration) -> Iterator[tuple[str, Iterator[Finding]]]:
    """Sections by name with their findings, each found when it is asked for; the quick sections first.

    A level of `problem` means that `tempo ask` can't run with this configuration. No check takes another
    down with it: one that breaks is a finding itself.
    """
    from . import accelerator, machine, media, settings, weights

    yield "machine", guarded("machine", machine.findings)
    yield "settings", guarded("settings", settings.findings, configuration)
    yield "ffmpeg", guarded("ffmpeg", media.findings, configuration.value("ffmpeg"))
    yield "cache", guarded("cache", media.kept_frames, configuration.value("cache-size"))
    yield "models", guarded("models", weights.findings, configuration)
    yield "torch", guarded("torch", accelerator.findings, configuration)


def examine_device(configuration: Configuration) -> Iterator[tuple[str, Iterator[Finding]]]:
    """The section of a device that is tested against the CPU, in some seconds, without a network."""
    from . import device_test

    yield "device test", guarded("device", device_test.findings, configuration)

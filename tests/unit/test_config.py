"""Options: the published defaults, and every senseless value refused with a word of advice."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from tempo_cli import config, errors
from tempo_cli.config import (
    BudgetOptions,
    GenerationOptions,
    LoadOptions,
    SamplingOptions,
    checked_options,
)
from tempo_cli.errors import TempoError, UsageError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("build", "field", "value"),
    [
        *((SamplingOptions, "fps", value) for value in (0, -1, NAN, INF)),
        *((SamplingOptions, "max_frames", value) for value in (0, -4)),
        *((SamplingOptions, "window", value) for value in (0, -8)),
        *((SamplingOptions, "start", value) for value in (-0.1, NAN, INF)),
        *((SamplingOptions, "end", value) for value in (-0.1, NAN, INF)),
        *((SamplingOptions, "max_pixels", value) for value in (0, -1)),
        *((SamplingOptions, "picture", value) for value in ("", "Raw", "sdr", None)),
        *((SamplingOptions, "mode", value) for value in ("frames", "", "TIME", None)),
        *((BudgetOptions, "budget", value) for value in (0, -1)),
        *((BudgetOptions, "context", value) for value in (0, 16, -1)),
        *((GenerationOptions, "max_new_tokens", value) for value in (0, -1)),
        *((GenerationOptions, "temperature", value) for value in (-0.1, NAN, INF)),
        *((LoadOptions, "micro_batch", value) for value in (0, -1)),
        *((LoadOptions, "quantize", value) for value in ("int3", "", "INT4", None)),
    ],
)
def test_a_senseless_value_is_refused_by_name(build: Callable[..., Any], field, value):
    with pytest.raises(UsageError) as caught:
        build(**{field: value})
    assert caught.value.message.startswith(f"{field} is {value}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("value", "shown"),
    [(2**64, "18446744073709551616"), (2**70 - 1, str(2**70 - 1)), (2**70, "a number with too many digits")],
)
def test_a_whole_number_is_shown_in_full(value: int, shown: str) -> None:
    with pytest.raises(
        UsageError, match=rf"^seed is {shown}; it can be from 0 to 18,446,744,073,709,551,615$"
    ):
        GenerationOptions(temperature=1.0, seed=value)


def test_options_are_of_their_kind_or_all_defaults():
    options = BudgetOptions(budget=7)
    assert checked_options(options, BudgetOptions) is options
    assert checked_options(None, BudgetOptions) == BudgetOptions()
    with pytest.raises(TypeError, match=r"^expected BudgetOptions, not dict$"):
        checked_options({}, BudgetOptions)
    with pytest.raises(TypeError, match=r"^expected BudgetOptions, not SamplingOptions$"):
        checked_options(SamplingOptions(), BudgetOptions)


@pytest.mark.parametrize(("start", "end"), [(5.0, 5.0), (6.0, 5.0)])
def test_a_part_that_ends_before_it_starts_is_refused(start, end):
    with pytest.raises(UsageError, match=rf"start \({start:g} s\) is not before end \(5 s\)"):
        SamplingOptions(start=start, end=end)


@pytest.mark.parametrize(
    ("build", "values"),
    [
        (
            SamplingOptions,
            {
                "fps": 0.001,
                "max_frames": 1,
                "window": 1,
                "start": 0.0,
                "end": 0.001,
                "picture": "raw",
                "mode": "time",
                "max_pixels": 1,
            },
        ),
        (BudgetOptions, {"budget": 1, "context": 17, "ata": False}),
        (GenerationOptions, {"max_new_tokens": 1, "temperature": 0.0, "seed": 0}),
        (
            LoadOptions,
            {
                "device": "cpu",
                "dtype": "float32",
                "quantize": "int4",
                "micro_batch": 1,
                "decoder_device": "cuda:1",
            },
        ),
    ],
)
def test_the_smallest_sensible_values_are_taken(build: Callable[..., Any], values):
    assert asdict(build(**values)) == values


def test_defaults_are_the_published_settings():
    assert SamplingOptions() == SamplingOptions(
        fps=2.0, max_frames=1024, window=8, start=None, end=None, mode="auto"
    )
    assert BudgetOptions() == BudgetOptions(budget=8192, context=None, ata=True)
    assert GenerationOptions() == GenerationOptions(max_new_tokens=1024, temperature=0.0, seed=None)
    assert (config.MIN_FRAMES, config.MIN_TOKENS, config.CONTEXT_MARGIN) == (4, 4, 16)
    assert (config.MIN_PIXELS, config.MAX_PIXELS) == (131_072, 786_432)


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [
        (errors.TempoError, 1, "internal"),
        (errors.UsageError, 2, "usage"),
        (errors.VideoError, 3, "video"),
        (errors.ModelError, 4, "model"),
        (errors.SetupError, 5, "environment"),
        (errors.OutOfMemoryError, 6, "memory"),
        (errors.CancelledError, 130, "interrupted"),
    ],
)
def test_every_class_of_error_has_its_exit_code(error: type[TempoError], exit_code, code):
    raised = error("what is wrong", "what to do")
    assert (raised.exit_code, raised.code) == (exit_code, code)
    assert (str(raised), raised.message, raised.hint) == ("what is wrong", "what is wrong", "what to do")
    assert isinstance(raised, TempoError)

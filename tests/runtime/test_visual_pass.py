"""Parts of a pass on their own: joining, and telling what was reused."""

import numpy as np
import pytest
import torch

from tempo_cli.errors import ModelError
from tempo_cli.runtime.visual_pass import VisualPass, joined
from tempo_cli.schema import Reused
from tempo_cli.types import MemoryTokens


def memory(*relevance: float) -> MemoryTokens:
    scores = np.array(relevance, np.float32)
    return MemoryTokens(torch.from_numpy(scores)[:, None, None].expand(-1, 2, 3), scores)


def test_parts_are_joined_in_order():
    whole = joined([memory(0.25, 0.5), memory(0.75)])
    assert whole.relevance.tolist() == [0.25, 0.5, 0.75]
    assert whole.tokens[:, 0, 0].tolist() == [0.25, 0.5, 0.75]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_relevance_that_is_no_number_is_an_error_of_the_model(number):
    with pytest.raises(ModelError) as caught:
        joined([memory(0.25), memory(number)])
    assert caught.value.message == "the compressor's output is not a number (NaN)"


@pytest.mark.parametrize(
    ("origins", "reused"),
    [
        (["decoded", "decoded"], Reused()),
        (["memory", "decoded"], Reused()),
        (["device", "decoded"], Reused()),
        (["memory"], Reused(frames="memory")),
        (["disk", "device"], Reused(frames="disk")),
        (["memory", "disk"], Reused(frames="disk")),
        (["disk", "decoded"], Reused()),
        (["device", "memory", "host"], Reused(frames="memory")),
        (["device"], Reused(prefix="device")),
        (["device", "host"], Reused(prefix="host")),
        (["features", "host", "device"], Reused(prefix="features")),
    ],
)
def test_what_was_reused_is_the_slowest_source_of_all_segments(origins, reused):
    one = VisualPass(None, ["what?"], None, None, None, None)
    one._origins = origins
    assert one._reused() == reused

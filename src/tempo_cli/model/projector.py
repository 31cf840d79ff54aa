"""From the compressor's width to the decoder's."""

import re

from torch import nn

from ..errors import ModelError

_MLP = re.compile(r"mlp([1-9]|1[0-6])x_gelu")  # the released one has 2 layers


def build_projector(kind: str, source: int, target: int) -> nn.Module:
    """The projector that `config.json` names: maps (..., source) to (..., target).

    `linear`; `mlpNx_gelu`: Linear, then (GELU, Linear) N - 1 times; `identity`.

    Raises:
        ModelError: another name, or an identity between different widths.
    """
    if kind == "linear":
        return nn.Linear(source, target)
    if match := _MLP.fullmatch(kind):
        layers: list[nn.Module] = [nn.Linear(source, target)]
        for _ in range(int(match[1]) - 1):
            layers += [nn.GELU(), nn.Linear(target, target)]
        return nn.Sequential(*layers)
    if kind == "identity" and source == target:
        return nn.Identity()
    raise ModelError(
        f"projector {kind!r} from width {source} to {target} is not known",
        "Known: linear, mlpNx_gelu with N up to 16, identity (equal widths).",
    )

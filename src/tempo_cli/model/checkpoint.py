"""Reading a checkpoint in the released layout, strictly: the only place of `model` that reads files.

| tensors in the Tempo folder | module |
|---|---|
| `model.*`, `lm_head.weight` | the decoder LLM (Qwen3) |
| `model.mm_projector.*` | projector |
| `model.vision_tower_aux_list.0.compression_tokens` | memory tokens |
| `model.vision_tower_aux_list.0.vlm.model.*` | the compressor (Qwen3-VL without its head) |

From the base's folder come the compressor's configuration and tokenizer, and two rows of its head: the
router is row("Yes") - row("No"), taken in the weights' own type, then held in float32 (reference).
Weights are safetensors only. No code from a repository is ever run.
"""

import copy
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from transformers import Qwen3Config, Qwen3VLConfig

from ..checked import parse_object
from ..config import ModelCard, ModelDimensions
from ..errors import ModelError
from ..files import LARGEST_JSON, LARGEST_TOKENIZER, open_regular, read_bytes, reason
from . import configuration
from .compressor import Compressor
from .device import Target, attention
from .llm import Decoder, SamplingRule
from .loading import fill, on_meta, put
from .tokenizer import TextTokenizer

Config = TypeVar("Config", Qwen3Config, Qwen3VLConfig)

_COMPRESSOR = "model.vision_tower_aux_list.0."
_REAL = {"F64", "F32", "F16", "BF16"}
_PICKLE = "is a pickle, which could run code: only safetensors are loaded."
_REDOWNLOAD = "Download it again, or check the folder."


class _Header(NamedTuple):
    """What a file says of a tensor."""

    path: Path
    shape: tuple[int, ...]
    kind: str


class TensorFiles:
    """The tensors of a folder's safetensors files, one file or sharded, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / "model.safetensors.index.json"
        names = _shard_names(index) if index.exists() else ["model.safetensors"]
        self._headers: dict[str, _Header] = {}
        for name in names:
            path = folder / name
            if Path(name).name != name or not path.exists():
                raise ModelError(f"{folder} has no {name}", _no_weights_hint(folder))
            if path.suffix != ".safetensors":
                raise ModelError(f"{index} names {name}", f"{name} {_PICKLE}")
            with _opened(path) as tensors:
                for tensor in tensors.keys():  # noqa: SIM118  no dictionary: it has no __iter__
                    header = tensors.get_slice(tensor)
                    self._headers[tensor] = _Header(path, tuple(header.get_shape()), header.get_dtype())

    @property
    def names(self) -> set[str]:
        """Every tensor's name."""
        return set(self._headers)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape by the file's header."""
        return self._headers[name].shape

    def is_real(self, name: str) -> bool:
        """Whether it holds floating-point numbers, by the file's header."""
        return self._headers[name].kind in _REAL

    def rows(self, name: str, rows: list[int]) -> torch.Tensor:
        """Some rows of a matrix, in the file's own type, (len(rows), D)."""
        with _opened(self._headers[name].path) as tensors:
            matrix = tensors.get_slice(name)
            return torch.stack([matrix[row : row + 1][0] for row in rows])

    def load(self, names: Collection[str], device: torch.device) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield (name, tensor) for `names`, file by file, straight to the device."""
        for path in sorted({self._headers[name].path for name in names}):
            with _opened(path, device) as tensors:
                for name in names:
                    if self._headers[name].path == path:
                        yield name, tensors.get_tensor(name)


def _shard_names(index: Path) -> list[str]:
    homes = _read_json(index).get("weight_map")
    if not isinstance(homes, dict) or not all(isinstance(name, str) for name in homes.values()):
        raise ModelError(f"{index} is no index of tensors", _REDOWNLOAD)
    return sorted(set(homes.values()))


def _opened(path: Path, device: torch.device | None = None) -> Any:
    try:
        os.close(open_regular(path))
        return safe_open(str(path), framework="pt", device=str(device or "cpu"))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged or incomplete: {reason(error)}", _REDOWNLOAD) from error


def _no_weights_hint(folder: Path) -> str:
    pickles = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
    if pickles:
        return f"{pickles[0].name} {_PICKLE}"
    return _REDOWNLOAD


def _read_text(path: Path) -> str:
    most = LARGEST_TOKENIZER if path.name == "tokenizer.json" else LARGEST_JSON
    try:
        return read_bytes(path, most, whole=True).decode("utf-8")
    except FileNotFoundError:
        raise ModelError(
            f"{path.parent} has no {path.name}", "Give a folder in the released layout."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read: {reason(error)}", _REDOWNLOAD) from error


def _read_json(path: Path) -> dict[str, Any]:
    text = _read_text(path)
    try:
        return parse_object(text)
    except ValueError as error:
        raise ModelError(f"{path} can't be used: {reason(error)}", _REDOWNLOAD) from error


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: everything but the weights themselves."""

    folder: Path
    base: Path
    llm_config: Qwen3Config
    vlm_config: Qwen3VLConfig
    dimensions: ModelDimensions
    rule: SamplingRule
    decoder_tokenizer: TextTokenizer
    compressor_tokenizer: TextTokenizer
    files: TensorFiles
    card: ModelCard
    router: Path | None = None

    @staticmethod
    def base_name(folder: Path) -> str:
        """What `config.json` names as the compressor's base: `./sibling` or a Hub repository."""
        return configuration.base_name(_read_json(folder / "config.json"), str(folder))

    @classmethod
    def open(cls, folder: Path, base: Path, router: Path | None = None) -> "Checkpoint":
        """Read the configurations, tokenizers and headers, and check every tensor's name and shape.

        Args:
            router: a file with rows `yes` and `no` of the base's head; None: the base's weights have them.

        Raises:
            ModelError: a file is missing or damaged, or a tensor is missing, unexpected or of a wrong shape.
        """
        raw = _read_json(folder / "config.json")
        tokenizer = TextTokenizer(_read_text(folder / "tokenizer.json"))
        stop_ids = frozenset({tokenizer.special_id("<|im_end|>"), tokenizer.special_id("<|endoftext|>")})
        generation = folder / "generation_config.json"
        vlm_config = configuration.vlm_config(_read_json(base / "config.json"), str(base))
        llm_config = configuration.llm_config(raw, str(folder))
        rule = _read_json(generation) if generation.exists() else {}
        checkpoint = cls(
            folder=folder,
            base=base,
            llm_config=llm_config,
            vlm_config=vlm_config,
            dimensions=configuration.dimensions(raw, llm_config, vlm_config, str(folder)),
            rule=configuration.sampling_rule(rule, stop_ids, str(folder)),
            decoder_tokenizer=tokenizer,
            compressor_tokenizer=TextTokenizer(_read_text(base / "tokenizer.json")),
            files=TensorFiles(folder),
            card=configuration.model_card(raw, str(folder)),
            router=router,
        )
        checkpoint._check_vocabularies()
        checkpoint._check_tensors()
        return checkpoint

    def empty_compressor(self, attention: str = "sdpa") -> Compressor:
        """The compressor on the meta device: names and shapes without weights."""
        config = _with_attention(self.vlm_config, attention)
        return on_meta(lambda: Compressor(config, self.dimensions, self.compressor_tokenizer))

    def empty_decoder(self, attention: str = "sdpa") -> Decoder:
        """The decoder on the meta device."""
        config = _with_attention(self.llm_config, attention)
        return on_meta(lambda: Decoder(config, self.dimensions))

    def load_compressor(self, target: Target) -> Compressor:
        """The compressor with its weights."""
        compressor = self.empty_compressor(attention(target))
        put(compressor, "router", self._router_direction().to(target.device))
        self._fill(compressor, compressor_names(compressor), target)
        return compressor

    def load_decoder(self, target: Target) -> Decoder:
        """The decoder with its weights."""
        decoder = self.empty_decoder(attention(target))
        self._fill(decoder, decoder_names(decoder, self.llm_config), target)
        return decoder

    def _fill(self, module: Compressor | Decoder, names: dict[str, str], target: Target) -> None:
        fill(module, names, self.files.load(names, target.device), target)

    def _router_direction(self) -> torch.Tensor:
        ids = [self.compressor_tokenizer.word_id(word) for word in ("Yes", "No")]
        yes, no = self._kept_rows(self.router, ids) if self.router else self._base_rows(ids)
        direction: torch.Tensor = yes - no
        return direction.float()

    def _base_rows(self, ids: list[int]) -> torch.Tensor:
        files = TensorFiles(self.base)
        heads = ("lm_head.weight", "model.language_model.embed_tokens.weight")
        home = next((name for name in heads if name in files.names), None)
        if home is None:
            raise ModelError(f"{self.base} has neither {heads[0]} nor {heads[1]}", _REDOWNLOAD)
        shape = files.shape(home)
        if len(shape) != 2 or shape[0] <= max(ids) or shape[1] != self.dimensions.compressor_width:
            raise ModelError(f"{self.base} has a {home} of shape {shape}, which does not fit", _REDOWNLOAD)
        return files.rows(home, ids)

    def _kept_rows(self, path: Path, ids: list[int]) -> torch.Tensor:
        with _opened(path) as rows:
            told = [rows.metadata().get(word) for word in ("yes", "no")]
            found = torch.stack([rows.get_tensor(word) for word in ("yes", "no")])
        if told != [str(number) for number in ids] or found.shape[1:] != (self.dimensions.compressor_width,):
            raise ModelError(f"{path} does not fit the base model", "Remove it and run tempo pull again.")
        return found

    def _check_vocabularies(self) -> None:
        text: Any = self.vlm_config.text_config
        pairs = (
            (self.folder, self.decoder_tokenizer, self.llm_config.vocab_size),
            (self.base, self.compressor_tokenizer, text.vocab_size),
        )
        for folder, tokenizer, size in pairs:
            if tokenizer.vocabulary > size:
                raise ModelError(
                    f"{folder}/tokenizer.json has {tokenizer.vocabulary:,} tokens, the model {size:,}",
                    _REDOWNLOAD,
                )

    def _check_tensors(self) -> None:
        try:
            compressor, decoder = self.empty_compressor(), self.empty_decoder()
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            told = f"{self.folder}/config.json describes no model: {reason(error)}"
            raise ModelError(told, _REDOWNLOAD) from error
        shapes: dict[str, tuple[int, ...]] = {}
        pairs = (
            (compressor, compressor_names(compressor)),
            (decoder, decoder_names(decoder, self.llm_config)),
        )
        for module, names in pairs:
            state = module.state_dict()
            shapes.update({name: tuple(state[own].shape) for name, own in names.items()})
        _report(self.folder, "is missing", sorted(set(shapes) - self.files.names))
        _report(self.folder, "has unexpected", self._unexpected(set(shapes)))
        for name, shape in shapes.items():
            if not self.files.is_real(name):
                raise ModelError(f"tensor {name} holds no real numbers", "Quantized weights are not read.")
            found = self.files.shape(name)
            if found != shape:
                raise ModelError(
                    f"tensor {name} has shape {found}, the configuration wants {shape}",
                    "The weights and config.json do not belong together.",
                )

    def _unexpected(self, expected: set[str]) -> list[str]:
        extra = self.files.names - expected
        tied = {"lm_head.weight", "model.embed_tokens.weight"}
        if self.llm_config.tie_word_embeddings and tied <= self.files.names:
            # some writers store a tied head twice: harmless where both are the same
            copies = dict(self.files.load(tied, torch.device("cpu")))
            if torch.equal(*copies.values()):
                extra -= tied
        return sorted(extra)


def _report(folder: Path, verb: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        listed = ", ".join(names[:3]) + more
        raise ModelError(f"{folder} {verb} tensor {listed}", "This is not a complete Tempo checkpoint.")


def _with_attention(config: Config, attention: str) -> Config:
    chosen = copy.deepcopy(config)
    chosen._attn_implementation = attention
    return chosen


def compressor_names(compressor: Compressor) -> dict[str, str]:
    """{the file's name: the module's} of every tensor of the compressor."""
    own = [name for name in compressor.state_dict() if name.startswith("vlm.")]
    names = {f"{_COMPRESSOR}vlm.model.{name.removeprefix('vlm.')}": name for name in own}
    return names | {f"{_COMPRESSOR}compression_tokens": "memory"}


def decoder_names(decoder: Decoder, config: Qwen3Config) -> dict[str, str]:
    """{the file's name: the module's} of every tensor of the decoder."""
    names = {}
    for own in decoder.state_dict():
        part, _, rest = own.partition(".")
        if not (config.tie_word_embeddings and rest == "lm_head.weight"):
            names[f"model.mm_projector.{rest}" if part == "projector" else rest] = own
    return names

"""Reading a checkpoint in the released layout; here and in `tensor_files` `model` reads files, nowhere else.

| tensors in the Tempo folder | module |
|---|---|
| `model.*`, `lm_head.weight` | the decoder LLM (Qwen3) |
| `model.mm_projector.*` | projector |
| `model.vision_tower_aux_list.0.compression_tokens` | memory tokens |
| `model.vision_tower_aux_list.0.vlm.model.*` | the compressor (Qwen3-VL without its head) |

From the base's folder come the compressor's configuration and tokenizer, and two rows of its head: the
router is row("Yes") - row("No"), taken in the weights' own type, then held in float32 (reference).
Weights are safetensors only. No code from a repository is ever run. As in the reference, tensors that no
module has are ignored; here with a warning. The base may be any folder that a configuration names, so errors
repeat nothing of what its files hold.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..config import ModelCard, ModelDimensions
from ..errors import ModelError
from ..files import reason
from ..tokenizer_files import read_tokenizer
from . import configuration
from .architecture import TextArchitecture, VisionLanguageArchitecture
from .compressor import Compressor
from .device import Target, current
from .generation import SamplingRule
from .llm import Decoder
from .loading import fill, put
from .tensor_files import COMPRESSOR, TensorFiles, opened, read_json
from .tokenizer import TextTokenizer

_REDOWNLOAD = "Download it again, or check the folder."


def _base_files(folder: Path) -> TensorFiles:
    """The base's weights."""
    try:
        return TensorFiles(folder)
    except ModelError as error:
        what = "can't be used" if any(folder.glob("*.safetensors")) else "are not there"
        raise ModelError(f"the weights of {folder} {what}", _REDOWNLOAD) from error


def _read_tokenizer(folder: Path, *, told: bool = True) -> TextTokenizer:
    """A folder's tokenizer.

    Args:
        told: whether an error may repeat what the files hold.
    """
    try:
        return TextTokenizer(read_tokenizer(folder))
    except FileNotFoundError:
        raise ModelError(f"{folder} has no tokenizer.json", "Give a folder in the released layout.") from None
    except (OSError, ValueError, ModelError) as error:
        if told and isinstance(error, ModelError):
            raise
        why = f": {reason(error)}" if told else ""
        raise ModelError(f"{folder}/tokenizer.json can't be read{why}", _REDOWNLOAD) from error


def _read_base_json(path: Path) -> dict[str, Any]:
    """The base's configuration, whose errors say nothing of what is in the file."""
    try:
        return read_json(path)
    except ModelError as error:
        if isinstance(error.__cause__, ValueError):
            raise ModelError(f"{path} can't be used: it is not a JSON object", _REDOWNLOAD) from error
        raise


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: everything but the weights themselves; `warnings` has what is odd about it."""

    folder: Path
    base: Path
    llm_config: TextArchitecture
    vlm_config: VisionLanguageArchitecture
    dimensions: ModelDimensions
    rule: SamplingRule
    decoder_tokenizer: TextTokenizer
    compressor_tokenizer: TextTokenizer
    files: TensorFiles
    card: ModelCard
    router: Path | None = None
    warnings: tuple[str, ...] = ()

    @staticmethod
    def base_name(folder: Path) -> str:
        """What `config.json` names as the compressor's base: a folder or a Hub repository."""
        return configuration.base_name(read_json(folder / "config.json"), str(folder))

    @classmethod
    def open(cls, folder: Path, base: Path, router: Path | None = None) -> "Checkpoint":
        """Read the configurations, tokenizers and headers, and check every tensor's name and shape.

        Args:
            router: a file with rows `yes` and `no` of the base's head; None: the base's weights have them.

        Raises:
            ModelError: a file is missing or damaged, or a tensor is missing or of a wrong shape.
        """
        raw = read_json(folder / "config.json")
        files = TensorFiles(folder)
        raw, warnings = configuration.with_stored_count(raw, files.memory_tokens, str(folder))
        tokenizer = _read_tokenizer(folder)
        stop_ids = frozenset({tokenizer.special_id("<|im_end|>"), tokenizer.special_id("<|endoftext|>")})
        generation = folder / "generation_config.json"
        vlm_config = configuration.vlm_config(_read_base_json(base / "config.json"), str(base))
        llm_config = configuration.llm_config(raw, str(folder))
        rule = read_json(generation) if generation.exists() else {}
        checkpoint = cls(
            folder=folder,
            base=base,
            llm_config=llm_config,
            vlm_config=vlm_config,
            dimensions=configuration.dimensions(raw, llm_config, vlm_config, str(folder)),
            rule=configuration.sampling_rule(rule, stop_ids, str(folder)),
            decoder_tokenizer=tokenizer,
            compressor_tokenizer=_read_tokenizer(base, told=False),
            files=files,
            card=configuration.model_card(raw, str(folder)),
            router=router,
        )
        checkpoint._check_vocabularies()
        return replace(checkpoint, warnings=(*warnings, *checkpoint._check_tensors()))

    def empty_compressor(self) -> Compressor:
        """The compressor on the meta device: names and shapes without weights."""
        with torch.device("meta"):
            return Compressor(self.vlm_config, self.dimensions, self.compressor_tokenizer)

    def empty_decoder(self) -> Decoder:
        """The decoder on the meta device."""
        with torch.device("meta"):
            return Decoder(self.llm_config, self.dimensions)

    def load_compressor(self, target: Target) -> Compressor:
        """The compressor with its weights."""
        compressor = self.empty_compressor()
        with current(target.device):
            put(compressor, "router", self._router_direction().to(target.device))
            self._fill(compressor, compressor_names(compressor), target)
        return compressor

    def load_decoder(self, target: Target) -> Decoder:
        """The decoder with its weights."""
        decoder = self.empty_decoder()
        with current(target.device):
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
        files = _base_files(self.base)
        heads = ("lm_head.weight", "model.language_model.embed_tokens.weight")
        home = next((name for name in heads if name in files.names), None)
        if home is None:
            raise ModelError(f"{self.base} has neither {heads[0]} nor {heads[1]}", _REDOWNLOAD)
        shape = files.shape(home)
        if len(shape) != 2 or shape[0] <= max(ids) or shape[1] != self.dimensions.compressor_width:
            raise ModelError(f"{self.base} has a {home} that does not fit", _REDOWNLOAD)
        return files.rows(home, ids)

    def _kept_rows(self, path: Path, ids: list[int]) -> torch.Tensor:
        with opened(path) as rows:
            told = [rows.metadata().get(word) for word in ("yes", "no")]
            found = torch.stack([rows.get_tensor(word) for word in ("yes", "no")])
        if told != [str(number) for number in ids] or found.shape[1:] != (self.dimensions.compressor_width,):
            raise ModelError(f"{path} does not fit the base model", "Remove it and run tempo pull again.")
        return found

    def _check_vocabularies(self) -> None:
        text = self.vlm_config.text_config
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

    def _check_tensors(self) -> list[str]:
        """Raise for what is missing or does not fit; what no module has is named in a warning."""
        try:
            compressor, decoder = self.empty_compressor(), self.empty_decoder()
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            told = f"{self.folder}/config.json and {self.base}/config.json describe no model"
            raise ModelError(told, _REDOWNLOAD) from error
        shapes: dict[str, tuple[int, ...]] = {}
        pairs = (
            (compressor, compressor_names(compressor)),
            (decoder, decoder_names(decoder, self.llm_config)),
        )
        for module, names in pairs:
            state = module.state_dict()
            shapes.update({name: tuple(state[own].shape) for name, own in names.items()})
        if missing := sorted(set(shapes) - self.files.names):
            raise ModelError(
                f"{self.folder} is missing tensor {_listed(missing)}",
                "This is not a complete Tempo checkpoint.",
            )
        for name, shape in shapes.items():
            if not self.files.is_real(name):
                raise ModelError(
                    f"tensor {name} does not hold floating-point numbers", "Quantized weights are not read."
                )
            found = self.files.shape(name)
            if found != shape:
                raise ModelError(
                    f"tensor {name} has shape {found}, config.json expects {shape}",
                    "The weights and config.json do not belong together.",
                )
        unused = self._unused(set(shapes))
        return [f"tensors that are not part of the model are ignored: {_listed(unused)}"] if unused else []

    def _unused(self, expected: set[str]) -> list[str]:
        extra = self.files.names - expected
        head, embedding = "lm_head.weight", "model.embed_tokens.weight"
        if self.llm_config.tie_word_embeddings and {head, embedding} <= self.files.names:
            # some writers store a tied head too: nothing is ignored where both are the same
            extra -= {head} if self.files.equal(head, embedding) else set()
        return sorted(extra)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def compressor_names(compressor: Compressor) -> dict[str, str]:
    """{the file's name: the module's} of every tensor of the compressor."""
    own = [name for name in compressor.state_dict() if name.startswith("vlm.")]
    names = {f"{COMPRESSOR}vlm.model.{name.removeprefix('vlm.')}": name for name in own}
    return names | {f"{COMPRESSOR}compression_tokens": "memory"}


def decoder_names(decoder: Decoder, config: TextArchitecture) -> dict[str, str]:
    """{the file's name: the module's} of every tensor of the decoder."""
    names = {}
    for own in decoder.state_dict():
        part, _, rest = own.partition(".")
        if not (config.tie_word_embeddings and rest == "lm_head.weight"):
            names[f"model.mm_projector.{rest}" if part == "projector" else rest] = own
    return names

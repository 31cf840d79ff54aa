"""The model in training: the package's own modules, run on batches of unequal length.

The package reads one segment's shape at a time and never pads. Training pads what the compressor reads on the
left, hiding it with masks, and what the decoder reads on the right. It shares keys and values: those of the
system prompt among all segments, those of a segment's frames among the questions about it.
`tests/training/test_network.py` checks that both ways give the same numbers.

| value | shape |
|---|---|
| frames | (B, T, H, W, 3) uint8 |
| features of the frames | (B, t * rows * columns, D) |
| memory tokens | (B, M, D) |
| router's logit | (B,) |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tempo_cli.model.architecture import TextArchitecture, VisionArchitecture, VisionLanguageArchitecture
from tempo_cli.model.compressor import Compressor, mrope_positions
from tempo_cli.model.llm import Decoder
from tempo_cli.model.pixels import patchify
from tempo_cli.model.tokenizer import TextTokenizer
from tempo_cli.model.vision import patch_cells
from tempo_cli.plan import prompts
from tempo_cli.plan.corrections import corrected, corrected_history
from tempo_cli.types import Exchange

from .shape import DECODER, DIMENSIONS, MEMORY, MROPE, TEXT, VISION, WIDTH

_INITIAL = 0.05  # standard deviation of new weights
_ALIKE, _ALIKE_ASKED = 1.2, 1.6  # texts and questions are padded to at most so many times their length
Pairs = list[tuple[Tensor, Tensor]]  # keys and values of each layer
Values = TypeVar("Values", np.ndarray, Tensor)


class Nano(nn.Module):
    """Compressor and decoder with new weights; the router is row Yes - row No of the embedding."""

    def __init__(self, tokenizer_json: str, corrections: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.tokenizer = TextTokenizer(tokenizer_json)
        vlm, llm = configs(self.tokenizer)
        self.compressor = Compressor(vlm, DIMENSIONS, self.tokenizer)
        self.decoder = Decoder(llm, DIMENSIONS)
        for part in (self.compressor.vlm, self.decoder.llm):
            part.apply(_begin)
        nn.init.normal_(self.compressor.memory, std=_INITIAL)
        del self.compressor.router
        self.words = np.array([self.tokenizer.word_id(word) for word in ("Yes", "No")])
        self.corrections = corrections or {}
        self._prompts = _Prompts(self.tokenizer, self.corrections)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.compressor.memory.device

    def put(self, values: np.ndarray) -> Tensor:
        """Values on the weights' device."""
        return torch.from_numpy(values).to(self.device)

    # --- compressor ---------------------------------------------------------------------------------------

    def see(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Merged features and the features of the deepstack layer, both (B, t * rows * columns, D)."""
        batch, count, height, width, _ = frames.shape
        visual: Any = self.compressor.vlm.visual
        t, h, w = count // 2, height // 16, width // 16
        x = patchify(frames, DIMENSIONS).view(batch * t, h * w, -1)
        kernel = visual.patch_embed.proj
        x = F.linear(x, kernel.weight.flatten(1), kernel.bias)
        x = x + visual.positions(h, w)
        cos, sin = visual.rotary_pos_emb(self.put(patch_cells(h, w, 2)))
        deep = x
        for number, block in enumerate(visual.blocks):
            x = x + _look(block.attn, block.norm1(x), cos, sin)
            x = x + block.mlp(block.norm2(x))
            if number in visual.deepstack_visual_indexes:
                deep = visual.deepstack_merger_list[0](x)
        return visual.merger(x).view(batch, -1, WIDTH), deep.view(batch, -1, WIDTH)

    def compress(
        self, frames: Tensor, times: Sequence[tuple[float, ...]], questions: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """Memory tokens (B * Q, M, D) and the router's logits (B * Q,) of B segments and Q questions each.

        Args:
            times: of the temporal patches of each segment, seconds.
            questions: those of the first segment, then those of the second, and so on.
        """
        merged, deep = self.see(frames)
        text: Any = self.compressor.vlm.language_model
        read, shown = self._prompts.frames(frames.shape[2:4], times)
        first = Padded(*map(self.put, read))
        head = text.embed_tokens(self.put(self._prompts.system))[None]
        here = torch.arange(head.shape[1], device=self.device).expand(3, 1, -1)
        _, system = _read(text, head, text.rotary_emb(head, here), None, None, None, keys_only=True)
        system = [(k.expand(len(frames), -1, -1, -1), v.expand(len(frames), -1, -1, -1)) for k, v in system]
        visual = (first.ids == self._prompts.pad)[..., None]
        x = text.embed_tokens(first.ids).masked_scatter(visual, merged)
        added = torch.zeros_like(x).masked_scatter(visual, deep)
        rotation = text.rotary_emb(x, first.positions)
        _, seen = _read(text, x, rotation, first.mask, system, added, keys_only=True)
        past = [tuple(torch.cat(pair, 2) for pair in zip(*parts, strict=True))
                for parts in zip(system, seen, strict=True)]  # fmt: skip
        texts = [self._prompts.suffix(question) for question in questions]
        ends = read.positions.max((0, 2)) + 1
        groups = alike([len(ids) for ids in texts], _ALIKE_ASKED)
        found = torch.cat([self._asked(rows, texts, ends, shown, past) for rows in groups])
        found = found[self.put(np.argsort(np.concatenate(groups)))]
        yes, no = text.embed_tokens(self.put(self.words))
        return found[:, 1:], found[:, 0] @ (yes - no)

    def _asked(
        self,
        rows: np.ndarray,
        texts: Sequence[tuple[int, ...]],
        ends: np.ndarray,
        shown: np.ndarray,
        past: Sequence[tuple[Tensor, ...]],
    ) -> Tensor:
        """What the compressor ends with, (N, 1 + M, D), at the last token and the memory of some questions.

        Args:
            rows: of the questions; their segments are row // questions per segment.
            ends: (B,), the position after each segment's frames.
            shown: (B, keys), which keys before the questions there are.
            past: keys and values of each segment.
        """
        text: Any = self.compressor.vlm.language_model
        of = rows // (len(texts) // len(ends))
        asked = Padded(*map(self.put, self._prompts.asked([texts[row] for row in rows], ends[of], shown[of])))
        memory = self.compressor.memory.expand(len(rows), -1, -1)
        x = torch.cat([text.embed_tokens(asked.ids), memory], 1)
        places = torch.arange(x.shape[1] - MEMORY - 1, x.shape[1], device=self.device).expand(len(rows), -1)
        only = places, asked.mask[:, :, -MEMORY - 1 :]
        own = self.put(of)
        before = [(k[own], v[own]) for k, v in past]
        x, _ = _read(text, x, text.rotary_emb(x, asked.positions), asked.mask, before, None, only=only)
        found: Tensor = text.norm(x)
        return found

    # --- decoder ------------------------------------------------------------------------------------------

    def embed(self, ids: Tensor) -> Tensor:
        """The decoder's word embeddings."""
        found: Tensor = self.decoder.llm.model.embed_tokens(ids)
        return found

    def write(self, stories: Sequence["Story"]) -> tuple[Tensor, Tensor]:
        """Loss of the answers, and which of them would be written exactly, (B,) bool."""
        read = [(*self._prompts.decoder(story), torch.cat([*story.memory])) for story in stories]
        missed = torch.zeros(len(stories), device=self.device)
        told, targets = [], []
        for rows in alike([len(ids) for ids, *_ in read], _ALIKE):
            logits, target, owner = self._told(*zip(*[read[row] for row in rows], strict=True))
            wrong = (logits.argmax(-1) != target).float()
            missed.index_add_(0, self.put(rows[owner]), wrong)
            told.append(logits)
            targets.append(target)
        return F.cross_entropy(torch.cat(told), torch.cat(targets)), missed == 0

    def _told(
        self, texts: Sequence[list[int]], answers: Sequence[int], memory: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        """Logits and ids of the answers' tokens (A, V) and (A,), and the text of each, (A,)."""
        lengths = np.array([len(ids) for ids in texts])
        ids = np.zeros((len(texts), lengths.max()), np.int64)
        for row, own in enumerate(texts):
            ids[row, : len(own)] = own
        x = self.embed(self.put(ids.clip(min=0)))
        x = x.masked_scatter(self.put(ids < 0)[..., None], torch.cat([*memory]))
        model: Any = self.decoder.llm.model
        position = torch.arange(ids.shape[1], device=self.device)[None]
        last = np.arange(-max(answers), 0)  # counted from the last token, which predicts nothing
        asked = lengths[:, None] - 1 + last
        sees = self.put(np.arange(ids.shape[1]) <= asked[..., None])[:, None]
        only = self.put(asked), sees
        x, _ = _read(model, x, model.rotary_emb(x, position), None, None, None, only=only)
        counts = last >= -np.array(answers)[:, None]
        logits = self.decoder.llm.lm_head(model.norm(x[self.put(counts)]))
        target = np.take_along_axis(ids, asked + 1, 1)[counts]
        return logits, self.put(target), np.nonzero(counts)[0]


@dataclass(frozen=True)
class Story:
    """One question about a video: tags' seconds, kept memory (k, D) of each segment, question, answer.

    `earlier` are the questions and answers before it."""

    times: Sequence[float]
    memory: Sequence[Tensor]
    question: str
    answer: str
    earlier: tuple[Exchange, ...] = ()


class Padded(NamedTuple, Generic[Values]):
    """Texts (N, L), padded on the left; positions (3, N, L'); mask (N, 1, L', keys), all keys so far."""

    ids: Values
    positions: Values
    mask: Values


class _Prompts:
    """Token ids, made once for every text."""

    def __init__(self, tokenizer: TextTokenizer, corrections: Mapping[str, str]) -> None:
        self.tokenizer = tokenizer
        self.tag = lru_cache(None)(lambda seconds: tuple(tokenizer.encode(prompts.time_tag(seconds))))
        self.suffix = lru_cache(4096)(
            lambda text: tuple(prompts.compressor_suffix(tokenizer, corrected(text, corrections)))
        )
        self.question = lru_cache(4096)(
            lambda text, earlier: prompts.decoder_prompt(
                tokenizer, corrected(text, corrections), corrected_history(earlier, corrections)
            )
        )
        start, end = (tokenizer.special_id(name) for name in (prompts.VISION_START, prompts.VISION_END))
        self.pad = tokenizer.special_id(prompts.VIDEO_PAD)
        self.edges = start, end
        self.system = np.array(prompts.compressor_prefix(tokenizer, (), 0))
        self.stop = tokenizer.special_id(prompts.IM_END)

    def frames(
        self, size: Sequence[int], times: Sequence[tuple[float, ...]]
    ) -> tuple[Padded[np.ndarray], np.ndarray]:
        """The segments' frames, which follow the system prompt, and which keys there are then, (B, keys)."""
        rows, columns = size[0] // 32, size[1] // 32
        system = len(self.system)
        start, end = self.edges
        segments, places = [], []
        for patches in times:
            ids: list[int] = []
            for seconds in patches:
                ids += [*self.tag(round(seconds, 1)), start, *[self.pad] * (rows * columns), end]
            segments.append(ids)
            places.append(mrope_positions(np.array(ids) == self.pad, (1, rows * 2, columns * 2), 2) + system)
        return _padded(segments, places, np.ones((len(times), system), bool), 0)

    def asked(
        self, texts: Sequence[tuple[int, ...]], ends: np.ndarray, shown: np.ndarray
    ) -> Padded[np.ndarray]:
        """Questions and memory tokens, which follow the frames that end before position `ends`, (N,)."""
        after = [
            np.broadcast_to(np.arange(len(text) + MEMORY) + first, (3, len(text) + MEMORY))
            for text, first in zip(texts, ends, strict=True)
        ]
        return _padded(texts, after, shown, MEMORY)[0]

    def decoder(self, story: Story) -> tuple[list[int], int]:
        """Ids with -1 for memory tokens, and how many of the last ones are the answer."""
        before, after = self.question(story.question, story.earlier)
        ids = list(before)
        for seconds, memory in zip(story.times, story.memory, strict=True):
            if len(memory):
                ids += [*self.tag(round(seconds, 1)), *[-1] * len(memory)]
        answer = [*self.tokenizer.encode(story.answer), self.stop]
        return [*ids, *after, *answer], len(answer)


def alike(lengths: Sequence[int], most: float) -> list[np.ndarray]:
    """Rows in groups whose longest is at most `most` times the shortest, to be padded together."""
    order = np.argsort(lengths, kind="stable")
    ordered, groups = np.array(lengths)[order], []
    while len(order):
        end = int(np.searchsorted(ordered, most * ordered[0], side="right"))
        groups.append(order[:end])
        order, ordered = order[end:], ordered[end:]
    return groups


def _padded(
    texts: Sequence[Sequence[int]], places: Sequence[np.ndarray], past: np.ndarray, more: int
) -> tuple[Padded[np.ndarray], np.ndarray]:
    """Rows of equal length, `more` places after each text, and which keys there are so far, (N, keys)."""
    longest = max(len(ids) for ids in texts)
    ids_ = np.zeros((len(texts), longest), np.int64)
    positions = np.zeros((3, len(texts), longest + more), np.int64)
    shown = np.zeros((len(texts), longest + more), bool)
    for row, (ids, own) in enumerate(zip(texts, places, strict=True)):
        first = longest - len(ids)
        ids_[row, first:] = ids
        positions[:, row, first:] = own
        shown[row, first:] = True
    causal = np.tril(np.ones((longest + more, longest + more), bool))
    before = np.broadcast_to(past[:, None], (len(texts), longest + more, past.shape[1]))
    mask = np.concatenate([before, shown[:, None] & causal[None]], axis=2)[:, None]
    return Padded(ids_, positions, mask), np.concatenate([past, shown], axis=1)


def configs(tokenizer: TextTokenizer) -> tuple[VisionLanguageArchitecture, TextArchitecture]:
    """What both networks are built from."""
    indexes = tuple(VISION["deepstack_visual_indexes"])
    vision = VisionArchitecture(**VISION | {"deepstack_visual_indexes": indexes})
    size = tokenizer.vocabulary
    seeing = TextArchitecture(**TEXT, vocab_size=size, mrope_section=tuple(MROPE["mrope_section"]))
    return VisionLanguageArchitecture(seeing, vision), TextArchitecture(**DECODER, vocab_size=size)


def _begin(module: nn.Module) -> None:
    """First values of a module's own weights; norms have theirs."""
    if isinstance(module, (nn.Linear, nn.Conv3d, nn.Embedding)):
        nn.init.normal_(module.weight, std=_INITIAL)
    if isinstance(module, (nn.Linear, nn.Conv3d)) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _look(attention: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Every patch of a picture sees every other: x (N, L, D)."""
    n, length, width = x.shape
    q, k, v = attention.qkv(x).view(n, length, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    q, k = _turn(q, cos, sin), _turn(k, cos, sin)
    seen = F.scaled_dot_product_attention(q, k, v)
    found: Tensor = attention.proj(seen.transpose(1, 2).reshape(n, length, width))
    return found


def _read(
    model: Any,
    x: Tensor,
    rotation: tuple[Tensor, Tensor],
    mask: Tensor | None,
    past: Pairs | None,
    added: Tensor | None,
    keys_only: bool = False,
    only: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Pairs]:
    """All layers of a language model: x (B, L, D), before its last norm, and the layers' keys and values.

    Without a mask it is plainly causal. `added` is added after the first layer (deepstack). With `keys_only`
    the last layer ends at its keys and values, and x is of no use. `only` has the places (B, A) at which x
    is wanted, (B, A, D), and the mask (B, 1, A, keys) of what they see: the last layer computes no others.
    """
    cos, sin = (part[:, None] for part in rotation)
    pairs: Pairs = []
    for number, layer in enumerate(model.layers):
        own = layer.self_attn
        y = _norm(layer.input_layernorm, x)
        shape = (*y.shape[:2], -1, own.head_dim)
        k = _turn(_norm(own.k_norm, own.k_proj(y).view(shape)).transpose(1, 2), cos, sin)
        v = own.v_proj(y).view(shape).transpose(1, 2)
        pairs.append((k, v))
        if keys_only and number == len(model.layers) - 1:
            break
        if only is not None and number == len(model.layers) - 1:
            places, mask = only
            x, y = (part.take_along_dim(places[..., None], 1) for part in (x, y))
            cos, sin = (part.take_along_dim(places[:, None, :, None], 2) for part in (cos, sin))
        q = _turn(_norm(own.q_norm, own.q_proj(y).unflatten(2, shape[2:])).transpose(1, 2), cos, sin)
        if past is not None:
            k, v = (torch.cat(pair, 2) for pair in zip(past[number], (k, v), strict=True))
        seen = F.scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None, enable_gqa=True)
        x = x + own.o_proj(seen.transpose(1, 2).flatten(2))
        y = _norm(layer.post_attention_layernorm, x)
        x = x + layer.mlp.down_proj(F.silu(layer.mlp.gate_proj(y)) * layer.mlp.up_proj(y))
        if added is not None and number == 0:
            x = x + added
    return x, pairs


def _norm(norm: Any, x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],), norm.weight, norm.variance_epsilon)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin

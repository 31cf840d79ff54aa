"""The model in training: the package's own modules, run on batches of unequal length.

The package reads one segment's shape at a time and never pads; training pads on the left, hides the padding
with masks, and shares the system prompt's keys and values. `tests/training/test_network.py` checks that
both ways give the same numbers.

| value | shape |
|---|---|
| frames | (B, T, H, W, 3) uint8 |
| features of the frames | (B, t * rows * columns, D) |
| memory tokens | (B, M, D) |
| router's logit | (B,) |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3VLConfig
from transformers.models.qwen3_vl import modeling_qwen3_vl as qwen3_vl

from tempo_cli import prompts
from tempo_cli.model.compressor import Compressor, mrope_positions
from tempo_cli.model.llm import Decoder
from tempo_cli.model.pixels import patchify
from tempo_cli.model.tokenizer import TextTokenizer

from .shape import DIMENSIONS, MEMORY, MROPE, TEXT, VISION, WIDTH

_INITIAL = 0.05  # standard deviation of new weights
Pairs = list[tuple[Tensor, Tensor]]  # keys and values of each layer


class Nano(nn.Module):
    """Compressor and decoder with new weights; the router is row Yes - row No of the embedding."""

    def __init__(self, tokenizer_json: str) -> None:
        super().__init__()
        self.tokenizer = TextTokenizer(tokenizer_json)
        vlm, llm = configs(self.tokenizer)
        self.compressor = Compressor(vlm, DIMENSIONS, self.tokenizer)
        self.decoder = Decoder(llm, DIMENSIONS)
        nn.init.normal_(self.compressor.memory, std=_INITIAL)
        del self.compressor.router
        self.words = torch.tensor([self.tokenizer.word_id(word) for word in ("Yes", "No")])
        self._prompts = _Prompts(self.tokenizer)

    # --- compressor ---------------------------------------------------------------------------------------

    def see(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Merged features and the features of the deepstack layer, both (B, t * rows * columns, D)."""
        batch, count, height, width, _ = frames.shape
        visual: Any = self.compressor.vlm.visual
        t, h, w = count // 2, height // 16, width // 16
        grid = torch.tensor([[1, h, w]])
        x = patchify(frames, DIMENSIONS).view(batch * t, h * w, -1)
        kernel = visual.patch_embed.proj
        x = F.linear(x, kernel.weight.flatten(1), kernel.bias)
        places, weights = qwen3_vl.get_vision_interpolation_indices_and_weights(
            grid, visual.num_grid_per_side, "bilinear", True, 2
        )
        x = x + (visual.pos_embed(places) * weights[:, :, None]).sum(1)
        cos, sin = visual.rotary_pos_emb(x, qwen3_vl.get_vision_position_ids(grid, 2))
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
        """Memory tokens (B, M, D) and the router's logits (B,) of segments, each with its own question."""
        merged, deep = self.see(frames)
        batch = len(frames)
        text: Any = self.compressor.vlm.language_model
        inputs = self._prompts.compressor(frames.shape[2:4], times, questions)
        rest = text.embed_tokens(inputs.ids)
        visual = inputs.visual
        rest = rest.masked_scatter(visual[..., None], merged)
        x = torch.cat([rest, self.compressor.memory.expand(batch, -1, -1)], 1)
        head = text.embed_tokens(self._prompts.system)[None]
        here = torch.arange(head.shape[1]).expand(3, 1, -1)
        _, pairs = _read(text, head, text.rotary_emb(head, here), None, None, None)
        past = [(k.expand(batch, -1, -1, -1), v.expand(batch, -1, -1, -1)) for k, v in pairs]
        added = torch.zeros_like(x)
        spread = torch.cat([visual, visual.new_zeros(batch, MEMORY)], 1)[..., None]
        added = added.masked_scatter(spread, deep)
        x, _ = _read(text, x, text.rotary_emb(x, inputs.positions), inputs.mask, past, added)
        x = text.norm(x)
        yes, no = text.embed_tokens(self.words)
        return x[:, -MEMORY:], x[:, -MEMORY - 1] @ (yes - no)

    # --- decoder ------------------------------------------------------------------------------------------

    def embed(self, ids: Tensor) -> Tensor:
        """The decoder's word embeddings."""
        found: Tensor = self.decoder.llm.model.embed_tokens(ids)
        return found

    def write(self, stories: Sequence["Story"]) -> tuple[Tensor, Tensor]:
        """Loss of the answers, and which of them would be written exactly, (B,) bool."""
        rows = [self._prompts.decoder(story) for story in stories]
        longest = max(len(ids) for ids, _ in rows)
        ids = np.zeros((len(rows), longest), np.int64)
        places = np.zeros((len(rows), longest), bool)
        labels = np.full((len(rows), longest), -100, np.int64)
        for row, (own, answer) in enumerate(rows):
            ids[row, : len(own)] = own
            places[row, : len(own)] = ids[row, : len(own)] < 0
            labels[row, len(own) - answer - 1 : len(own) - 1] = own[-answer:]
        x = self.embed(torch.from_numpy(ids).clamp(min=0))
        memory = torch.cat([piece for story in stories for piece in story.memory])
        x = x.masked_scatter(torch.from_numpy(places)[..., None], memory)
        model: Any = self.decoder.llm.model
        position = torch.arange(longest)[None]
        x, _ = _read(model, x, model.rotary_emb(x, position), None, None, None)
        target = torch.from_numpy(labels)
        asked = target >= 0
        logits = self.decoder.llm.lm_head(model.norm(x)[asked])
        loss = F.cross_entropy(logits, target[asked])
        right = torch.ones_like(target, dtype=torch.bool)
        right[asked] = logits.argmax(-1) == target[asked]
        return loss, right.all(1)


@dataclass(frozen=True)
class Story:
    """One question about a video: tags' seconds, kept memory (k, D) of each segment, question, answer."""

    times: Sequence[float]
    memory: Sequence[Tensor]
    question: str
    answer: str


class CompressorInputs(NamedTuple):
    """Everything after the system prompt, padded on the left: `mask` also covers the system prompt's keys."""

    ids: Tensor
    visual: Tensor
    positions: Tensor
    mask: Tensor


class _Prompts:
    """Token ids, made once for every text."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self.tokenizer = tokenizer
        self.tag = lru_cache(None)(lambda seconds: tuple(tokenizer.encode(prompts.time_tag(seconds))))
        self.suffix = lru_cache(None)(lambda text: tuple(prompts.compressor_suffix(tokenizer, text)))
        self.question = lru_cache(None)(lambda text: prompts.decoder_prompt(tokenizer, text))
        start, end = (tokenizer.special_id(name) for name in (prompts.VISION_START, prompts.VISION_END))
        self.pad = tokenizer.special_id(prompts.VIDEO_PAD)
        self.edges = start, end
        self.system = torch.tensor(prompts.compressor_prefix(tokenizer, (), 0))
        self.stop = tokenizer.special_id(prompts.IM_END)

    def compressor(
        self, size: Sequence[int], times: Sequence[tuple[float, ...]], questions: Sequence[str]
    ) -> CompressorInputs:
        rows, columns = size[0] // 32, size[1] // 32
        start, end = self.edges
        texts = []
        for patches, question in zip(times, questions, strict=True):
            ids: list[int] = []
            for seconds in patches:
                ids += [*self.tag(round(seconds, 1)), start, *[self.pad] * (rows * columns), end]
            texts.append(ids + list(self.suffix(question)))
        system, longest = len(self.system), max(len(ids) for ids in texts)
        ids_ = np.zeros((len(texts), longest), np.int64)
        positions = np.zeros((3, len(texts), longest + MEMORY), np.int64)
        shown = np.zeros((len(texts), longest + MEMORY), bool)
        for row, ids in enumerate(texts):
            first = longest - len(ids)
            ids_[row, first:] = ids
            own = mrope_positions(np.array(ids) == self.pad, (1, rows * 2, columns * 2), 2) + system
            after = np.arange(MEMORY) + int(own.max()) + 1
            positions[:, row, first:] = np.concatenate([own, np.broadcast_to(after, (3, MEMORY))], 1)
            shown[row, first:] = True
        length = longest + MEMORY
        causal = np.tril(np.ones((length, length), bool))
        mask = np.concatenate(
            [np.ones((len(texts), length, system), bool), shown[:, None] & causal[None]], axis=2
        )
        ids_tensor = torch.from_numpy(ids_)
        return CompressorInputs(
            ids_tensor, ids_tensor == self.pad, torch.from_numpy(positions), torch.from_numpy(mask)[:, None]
        )

    def decoder(self, story: Story) -> tuple[list[int], int]:
        """Ids with -1 for memory tokens, and how many of the last ones are the answer."""
        before, after = self.question(story.question)
        ids = list(before)
        for seconds, memory in zip(story.times, story.memory, strict=True):
            if len(memory):
                ids += [*self.tag(round(seconds, 1)), *[-1] * len(memory)]
        answer = [*self.tokenizer.encode(story.answer), self.stop]
        return [*ids, *after, *answer], len(answer)


def configs(tokenizer: TextTokenizer) -> tuple[Qwen3VLConfig, Qwen3Config]:
    """Both configurations."""
    size = {"vocab_size": tokenizer.vocabulary, "initializer_range": _INITIAL}
    vlm = Qwen3VLConfig(
        text_config={**TEXT, **size, "rope_scaling": MROPE, "rope_theta": MROPE["rope_theta"]},
        vision_config={**VISION, "initializer_range": _INITIAL},
        tie_word_embeddings=True,
    )
    llm = Qwen3Config(**TEXT, **size, rope_theta=10_000.0)
    for config in (vlm, llm):
        config._attn_implementation = "sdpa"
    return vlm, llm


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
) -> tuple[Tensor, Pairs]:
    """All layers of a language model: x (B, L, D), before its last norm, and the layers' keys and values.

    Without a mask it is plainly causal. `added` is added after the first layer (deepstack).
    """
    cos, sin = (part[:, None] for part in rotation)
    pairs: Pairs = []
    for number, layer in enumerate(model.layers):
        own = layer.self_attn
        y = _norm(layer.input_layernorm, x)
        shape = (*y.shape[:2], -1, own.head_dim)
        q = _turn(_norm(own.q_norm, own.q_proj(y).view(shape)).transpose(1, 2), cos, sin)
        k = _turn(_norm(own.k_norm, own.k_proj(y).view(shape)).transpose(1, 2), cos, sin)
        v = own.v_proj(y).view(shape).transpose(1, 2)
        pairs.append((k, v))
        if past is not None:
            k, v = (torch.cat(pair, 2) for pair in zip(past[number], (k, v), strict=True))
        k, v = (part.repeat_interleave(own.num_key_value_groups, 1) for part in (k, v))
        seen = F.scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None)
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

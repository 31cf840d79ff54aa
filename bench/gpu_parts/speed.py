"""How fast? Full-size random weights, made on the device, each figure beside its floor."""

import time
from functools import partial
from statistics import median
from typing import Any

import torch
from checkpoints import SIZES, write

from tempo_cli import AnsweredRun, GenerationOptions, LoadOptions, Run, SamplingOptions, Tempo

from . import counts, device, internals
from .counts import Ceilings, Cost
from .results import Row
from .scale import FRAME, NEW_TOKENS, QUESTION, QUESTIONS, WINDOW, Bench

_MERGED = 32  # px per edge of a merged patch
_PATCHES = 4  # that are merged


def run(bench: Bench) -> None:
    """All rows of this part."""
    bench.record.add("device", **device.facts(bench))
    hollow = write(bench.hollow, SIZES[bench.scale.size], hollow=True)
    with internals.generated_weights():
        tempo = None
        with bench.record.row("load, weights made on the device") as row:
            tempo = load(bench, hollow, row)
        if tempo is None:
            return
        dtype = getattr(torch, tempo.info.dtype)
        with bench.record.row("ceilings") as row:
            ceilings, found = device.ceilings(bench, dtype)
            row |= found | {"dtype": tempo.info.dtype, "note": _ceilings_in_words(found)}
        compression(bench, tempo, ceilings)
        for tokens in bench.scale.prefills:
            with bench.record.row(f"read {tokens} tokens") as row:
                row |= prefill(bench, tempo, tokens, ceilings)
        for position in bench.scale.positions:
            with bench.record.row(f"write after {position} tokens") as row:
                row |= write_tokens(bench, tempo, position, ceilings)
            with bench.record.row(f"attention of a token after {position} tokens") as row:
                row |= attention(bench, tempo, position, ceilings)
        four_questions(bench, tempo, ceilings)
    del tempo
    internals.release(bench.device)
    whole = write(bench.whole, SIZES[bench.scale.size])
    with bench.record.row("load from the file") as row:
        load(bench, whole, row)


def load(bench: Bench, folder: Any, row: Row, bits: str = "none") -> Tempo:
    """Load, and tell seconds, weights and peak."""
    device.reset_peak()
    options = LoadOptions(device=bench.device, quantize=bits)
    seconds, tempo = device.timed(partial(Tempo.load, folder, options=options))
    networks = internals.compressor(tempo), internals.decoder(tempo)
    size = sum(weight.nbytes for one in networks for weight in one.parameters())
    row |= {"seconds": seconds, "weights_bytes": size, "device_bytes": device.taken()}
    row["peak_bytes"] = device.peak()
    row["note"] = f"{size / 1e9:.2f} GB of weights in {tempo.info.dtype}"
    loaded: Tempo = tempo
    return loaded


def compression(bench: Bench, tempo: Tempo, ceilings: Ceilings) -> None:
    """All segments of a video by micro-batch, and by stage."""
    network = internals.compressor(tempo)
    work = internals.noise_segments(bench.scale.segments, WINDOW, *FRAME)
    for size in bench.scale.micro_batches:
        with bench.record.row(f"compress {len(work)} segments, micro-batch {size}") as row:
            packs = internals.batches(network, work, size)
            if any(len(pack) != size for pack in packs):
                raise ValueError("prompts differ in length")
            stages(network, packs[0])  # warms up
            device.reset_peak()
            found = [stages(network, pack) for pack in packs]
            row |= _stages_in_all(bench, found, internals.prefix_tokens(packs[0]), size, ceilings, network)


def stages(network: Any, batch: Any) -> tuple[float, float, float]:
    """Seconds of the vision tower, of the rest of the prefix, and of the question."""
    seeing, features = device.timed(partial(internals.see, network, batch))
    reading, prefix = device.timed(partial(internals.read, network, features))
    asking, memory = device.timed(partial(internals.compress, network, prefix, QUESTION))
    if not torch.from_numpy(memory.relevance).isfinite().all():
        raise ValueError("relevance is not finite")
    return seeing, reading, asking


def segment_costs(
    sizes: Any, prefix: int, suffix: int, *, batch: int, itemsize: int
) -> tuple[Cost, Cost, Cost]:
    """Vision tower, prefix and suffix of `batch` segments at once."""
    tokens = FRAME[0] // _MERGED * (FRAME[1] // _MERGED)
    tower = counts.vision(sizes.vision, WINDOW // 2, tokens * _PATCHES, batch=batch, itemsize=itemsize)
    before = counts.language(sizes.text, prefix, 0, batch=batch, itemsize=itemsize)
    after = counts.language(sizes.text, suffix, prefix, batch=batch, itemsize=itemsize)
    return tower, before, after


def _stages_in_all(
    bench: Bench,
    found: list[tuple[float, float, float]],
    prefix: int,
    size: int,
    ceilings: Ceilings,
    network: Any,
) -> Row:
    """Sums and means of all batches, their floors, and what a second question costs over the first."""
    segments = bench.scale.segments
    seeing, reading, asking = (sum(values) for values in zip(*found, strict=True))
    suffix, itemsize = internals.suffix_tokens(network, QUESTION), network.memory.element_size()
    costs = segment_costs(SIZES[bench.scale.size], prefix, suffix, batch=size, itemsize=itemsize)
    floors = [ceilings.floor(cost) / size for cost in costs]
    each = [seeing, reading, asking]
    total = sum(each)
    names = ("vision", "prefix", "suffix")
    kept = counts.keys_and_values(SIZES[bench.scale.size].text, prefix, itemsize)
    ratios = {
        "keys_and_values_kept": asking / total,
        "features_kept": (total - seeing) / total,
        "frames_kept": 1.0,
    }
    return {
        "micro_batch": size,
        "segments": segments,
        "prefix_tokens": prefix,
        "suffix_tokens": suffix,
        "seconds": total,
        "floor_seconds": sum(floors) * segments,
        "segment_seconds": dict(zip(names, (value / segments for value in each), strict=True)),
        "segment_floor_seconds": dict(zip(names, floors, strict=True)),
        "second_question_over_first": ratios,
        "keys_and_values_bytes_per_segment": kept,
        "peak_bytes": device.peak(),
        "note": ", ".join(
            f"{name} {1000 * value / segments:.2f} ms" for name, value in zip(names, each, strict=True)
        )
        + f" a segment; second question {ratios['keys_and_values_kept']:.2f} of the first",
    }


def prefill(
    bench: Bench, tempo: Tempo, tokens: int, ceilings: Ceilings, weight_bytes: float | None = None
) -> Row:
    """Seconds to read a decoder input."""
    network = internals.decoder(tempo)
    embeds = internals.embeddings(network, tokens)
    itemsize = embeds.element_size()
    device.reset_peak()
    internals.prefill(network, embeds)  # warms up
    times = [device.timed(partial(internals.prefill, network, embeds))[0] for _ in range(bench.runs)]
    cost = counts.language(
        SIZES[bench.scale.size].decoder, tokens, 0, head=True, itemsize=itemsize, weight_bytes=weight_bytes
    )
    return {
        "tokens": tokens,
        "seconds": median(times),
        "floor_seconds": ceilings.floor(cost),
        "peak_bytes": device.peak(),
        "note": f"{tokens / median(times):,.0f} tokens/s",
    }


def write_tokens(
    bench: Bench, tempo: Tempo, position: int, ceilings: Ceilings, weight_bytes: float | None = None
) -> Row:
    """Seconds of a token of an answer after so many others, once writing has got going."""
    network = internals.decoder(tempo)
    embeds = internals.embeddings(network, position)
    device.reset_peak()
    first, _ = _written(network, embeds, bench.scale.steps)  # from nothing: the step is recorded
    again, seconds = _written(network, embeds, bench.scale.steps)
    peak = device.peak()
    rescored = internals.rescored(network, embeds, bench.scale.steps)
    middle = position + bench.scale.steps // 2
    cost = counts.language(
        SIZES[bench.scale.size].decoder,
        1,
        middle,
        head=True,
        itemsize=embeds.element_size(),
        weight_bytes=weight_bytes,
    )
    return {
        "position": position,
        "seconds": seconds,
        "tokens_per_second": 1 / seconds,
        "floor_seconds": ceilings.floor(cost),
        "share_of_floor": ceilings.floor(cost) / seconds,
        "first_token_seconds": first[0],
        "first_token_again_seconds": again[0],
        "first_answer_seconds": first[1],
        "rescored": rescored,  # in 8 bits, only what is read has quantized rows
        "peak_bytes": peak,
        "note": f"{1 / seconds:.1f} tokens/s; first token {1000 * first[0]:.0f} ms, "
        f"again {1000 * again[0]:.0f} ms; {bench.scale.steps} tokens {1000 * first[1]:.0f} ms, "
        f"again {1000 * again[1]:.0f} ms; log-probabilities read again {rescored:.2g} apart",
    }


@torch.inference_mode()
def attention(bench: Bench, tempo: Tempo, position: int, ceilings: Ceilings) -> Row:
    """Seconds of the attention of one token, which is part of writing it."""
    seconds = device.fastest(device.recorded(internals.attention(internals.decoder(tempo), position)))
    text, itemsize = (
        SIZES[bench.scale.size].decoder,
        internals.embeddings(internals.decoder(tempo), 1).itemsize,
    )
    floor = ceilings.floor(Cost(0, position * counts.keys_and_values(text, 1, itemsize)))
    return {"position": position, "seconds": seconds, "floor_seconds": floor, "note": "part of writing"}


def _written(network: Any, embeds: torch.Tensor, tokens: int) -> tuple[tuple[float, float], float]:
    """Seconds until the first and the last token, and between two in the second half."""
    device.wait()
    started = time.perf_counter()
    times = [time.perf_counter() - started for _ in internals.write(network, embeds, tokens)]
    half = len(times) // 2
    return (times[0], times[-1]), (times[-1] - times[half]) / (len(times) - 1 - half)


def four_questions(bench: Bench, tempo: Tempo, ceilings: Ceilings) -> None:
    """The same four about one video: one by one, and with one visual pass. Decoding has no floor here."""
    clip, segments = bench.scale.clip(), bench.scale.segments
    options: dict[str, Any] = {
        "sampling": SamplingOptions(fps=bench.scale.fps(segments)),
        "generation": GenerationOptions(max_new_tokens=NEW_TOKENS),
    }
    one = partial(tempo.ask, clip, **options)
    many = partial(tempo.ask_many, clip, QUESTIONS, **options)

    def opened() -> list[AnsweredRun]:
        with tempo.open(clip, sampling=options["sampling"]) as video:
            return [video.ask(text, generation=options["generation"]) for text in QUESTIONS]

    for name, passes, ask in (
        ("one question about a video", 1, lambda: [one(QUESTION)]),
        ("four questions, one by one", 4, lambda: [one(text) for text in QUESTIONS]),
        ("four questions, one visual pass", 1, lambda: list(many())),
        ("four questions about an opened clip", 1, opened),
    ):
        with bench.record.row(name) as row:
            device.reset_peak()
            seconds, runs = device.timed(ask)
            floor = passes * _visual_floor(bench, tempo, ceilings)
            floor += sum(_question_floor(bench, tempo, run, ceilings) for run in runs)
            row |= {"seconds": seconds, "floor_seconds": floor, "visual_passes": passes}
            row |= {"peak_bytes": device.peak(), **_question_facts(runs)}


def _visual_floor(bench: Bench, tempo: Tempo, ceilings: Ceilings) -> float:
    """Vision tower and prefix of all segments, in the default micro-batches."""
    tower, before, _ = _default_costs(bench, tempo)
    return (ceilings.floor(tower) + ceilings.floor(before)) * _batches(bench)


def _question_floor(bench: Bench, tempo: Tempo, run: Run, ceilings: Ceilings) -> float:
    """The suffix in all segments, the memory tokens read, and the answer written; text is left out."""
    text, network = SIZES[bench.scale.size].decoder, internals.decoder(tempo)
    itemsize, used = internals.embeddings(network, 1).element_size(), run.budget.used
    width = SIZES[bench.scale.size].text["hidden_size"]
    reading = counts.projector(used, width, text["hidden_size"], itemsize=itemsize)
    reading += counts.language(text, used, 0, head=True, itemsize=itemsize)
    token = counts.language(text, 1, used, head=True, itemsize=itemsize)
    written = run.answer.tokens - 1 if run.answer else 0
    _, _, after = _default_costs(bench, tempo)
    return ceilings.floor(after) * _batches(bench) + ceilings.floor(reading) + ceilings.floor(token) * written


def _default_costs(bench: Bench, tempo: Tempo) -> tuple[Cost, Cost, Cost]:
    network = internals.compressor(tempo)
    segments = internals.noise_segments(1, WINDOW, *FRAME)
    (one,) = internals.batches(network, segments, 1)
    size = min(internals.micro_batch(bench.device), bench.scale.segments)
    suffix, itemsize = internals.suffix_tokens(network, QUESTION), network.memory.element_size()
    sizes = SIZES[bench.scale.size]
    return segment_costs(sizes, internals.prefix_tokens(one), suffix, batch=size, itemsize=itemsize)


def _batches(bench: Bench) -> float:
    return bench.scale.segments / min(internals.micro_batch(bench.device), bench.scale.segments)


def _question_facts(runs: list[Run]) -> Row:
    first = runs[0].timing
    return {
        "questions": len(runs),
        "segments": len(runs[0].segments),
        "used": [run.budget.used for run in runs],
        "answer_tokens": [run.answer.tokens if run.answer else 0 for run in runs],
        "first_decode_seconds": first.decode,
        "first_compress_seconds": first.compress,
        "first_answer_seconds": first.answer,
        "note": f"first: decode {first.decode:.2f} s, compress {first.compress:.2f} s, "
        f"answer {first.answer:.2f} s",
    }


def _ceilings_in_words(found: dict[str, float]) -> str:
    product, *copies = found.values()
    return f"{product / 1e12:.3g} TFLOP/s, copy, to the device, to the host: " + ", ".join(
        f"{rate / 1e9:.3g} GB/s" for rate in copies
    )

"""A finished question as a run."""

import time
from collections.abc import Iterator

from ..model.device import device_peak_bytes
from ..plan.evidence import weigh
from ..plan.picture import HDR, ratio_text, shown_size
from ..plan.segments import segment_span
from ..schema import (
    Answer,
    BudgetSummary,
    DecoderSummary,
    GenerationSummary,
    Memory,
    ModelInfo,
    Run,
    SamplingSummary,
    SegmentReport,
    Timing,
    VideoSummary,
    build_run,
)
from ..system_memory import host_peak_bytes
from ..types import Allocation, Unseen
from ..video.opened import Video
from .networks import Networks
from .round import Round


def summarize(
    video: Video,
    model: ModelInfo,
    networks: Networks,
    asked: Round,
    number: int,
    allocation: Allocation,
    answer: Answer | None,
    answer_seconds: float,
    decode_seconds: float,
) -> Run:
    """Everything about question `number` of a round.

    Args:
        answer: None after `inspect`.
        decode_seconds: that this round waited for, or decoded beside its work.
    """
    journal, question, plans = asked.journal, asked.questions[number], asked.compressed.plans
    generation = asked.generation
    segments = tuple(_segments(video, asked, number, allocation))
    return build_run(
        answer,
        video=_video(video),
        question=question.text,
        history=question.history,
        model=model,
        sampling=SamplingSummary(
            frames=sum(len(plan.positions) for plan in plans),
            fps=video.plan.fps,
            window=video.sampling.window,
            mode=video.plan.mode,
        ),
        budget=BudgetSummary(
            limit=allocation.limit,
            used=allocation.used,
            mode=allocation.mode,
            context=asked.budget.context or networks.checkpoint.dimensions.context,
        ),
        segments=segments,
        timing=Timing(
            load=networks.seconds,
            decode=decode_seconds,
            compress=journal.compress_seconds,
            answer=answer_seconds,
            total=asked.loaded + time.perf_counter() - journal.started,
        ),
        memory=Memory(
            host_peak_bytes=host_peak_bytes(),
            device_peak_bytes=device_peak_bytes(*networks.devices),
            micro_batch=asked.fallbacks.micro_batch,
            together=networks.resident,
            steps=tuple(journal.steps),
        ),
        warnings=(*journal.warnings, *question.warnings),
        generation=generation
        and GenerationSummary(generation.max_new_tokens, generation.temperature, generation.seed),
        reused=asked.compressed.reused,
        evidence=weigh(segments, networks.checkpoint.card.weak_relevance),
    )


def _video(video: Video) -> VideoSummary:
    info, found = video.info, video.findings
    decoding = found.decoding
    return VideoSummary(
        path=str(info.path),
        duration=info.duration,
        fps=float(info.rate),
        width=video.shown[1],
        height=video.shown[0],
        codec=info.codec,
        start=video.start,
        end=video.end,
        size=info.size,
        mtime=info.mtime,
        picture=video.sampling.picture,
        sample_aspect_ratio=ratio_text(found.sample_aspect_ratio),
        color_transfer=found.color_transfer,
        decoder=DecoderSummary(decoding.processes, decoding.packets, decoding.decoded),
        constant_rate=info.constant_rate,
        unseen=_unseen(video),
    )


def _unseen(video: Video) -> Unseen:
    tracks, found, raw = video.info.tracks, video.findings, video.sampling.picture == "raw"
    transfer, size = found.color_transfer, (video.info.height, video.info.width)
    return Unseen(
        sound=tracks.sound,
        texts=tracks.texts,
        interlaced=tracks.interlaced,
        alpha=tracks.alpha,
        hdr=raw and (transfer in HDR or (video.info.colors.dolby and transfer is None)),
        shape=raw and shown_size(size, found.sample_aspect_ratio) != size,
    )


def _segments(video: Video, asked: Round, number: int, allocation: Allocation) -> Iterator[SegmentReport]:
    compressed, window = asked.compressed, video.sampling.window
    scores = compressed.memories[number].relevance
    for plan, score, tokens in zip(compressed.plans, scores, allocation.tokens.tolist(), strict=True):
        start, end = segment_span(video.plan, plan.index, window, video.info.times, video.end)
        yield SegmentReport(
            index=plan.index,
            start=start,
            end=end,
            time=float(f"{plan.time:.1f}"),
            relevance=float(score) if asked.budget.ata else None,
            tokens=tokens,
            frames=len(plan.positions),
        )

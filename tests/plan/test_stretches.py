"""Segments that stand out, as stretches."""

from tempo_cli.plan.stretches import Stretch, chosen, stretches

from ..report.runs import ROWS, RUN, made_up


def test_neighbors_that_stand_out_are_one_stretch():
    assert stretches(RUN.segments) == [
        Stretch(20.0, 60.5, 1, 2, 0.9, 160),
        Stretch(100.0, 120.0, 5, 5, 0.5, 40),
    ]


def test_the_number_and_the_relevance_of_segments_can_be_limited():
    assert stretches(RUN.segments, most=1) == [Stretch(20.0, 40.0, 1, 1, 0.9, 100)]
    assert [part.index for part in chosen(RUN.segments, least=0.75)] == [1, 2]
    assert stretches(RUN.segments, least=0.91) == []
    assert stretches(RUN.segments, most=0) == []


def test_where_every_segment_is_wanted_each_stays_on_its_own():
    every = stretches(RUN.segments, most=None)
    assert [(part.start, part.end) for part in every] == [row[:2] for row in ROWS]
    assert [part.first for part in stretches(RUN.segments, most=None, least=0.1)] == [1, 2, 3, 5]


def test_without_relevance_none_is_relevant_enough():
    run = made_up([(0.0, 1.0, None, 4), (1.0, 2.0, None, 8)])
    assert stretches(run.segments) == [Stretch(1.0, 2.0, 1, 1, None, 8)]
    assert stretches(run.segments, least=0.0) == []

"""The rules that the benchmark of allocation compares, and how it counts."""

import needle
import numpy as np
import pytest
import torch
from needle import Result, Trial, flipped, plan_needle, sampled, shares, summed_up, tally

from tempo_cli.config import SamplingOptions
from tempo_cli.types import MemoryTokens

MOST = 8
SCORES = np.array([0.01, 0.97, 0.4, 0.0, 0.02, 0.01, 0.0, 0.9], np.float32)
SPENDING = [rule for rule in needle._RULES if rule != "frames"]


@pytest.mark.parametrize("rule", SPENDING)
@pytest.mark.parametrize("budget", [8, 9, 12, 32, 48, 64, 100])
def test_no_rule_spends_more_than_the_budget(rule, budget):
    tokens = shares(rule, SCORES, budget, 1, MOST)
    assert tokens.sum() <= budget
    assert tokens.min() >= 0
    assert tokens.max() <= MOST


def test_even_spreading_spends_all_of_it():
    assert shares("even", SCORES, 12, 1, MOST).tolist() == [2, 1, 2, 1, 1, 2, 1, 2]
    assert shares("even", SCORES, 100, 1, MOST).tolist() == [8] * 8


def test_where_anchors_take_the_whole_budget_allocation_is_even_spreading():
    for rule in ("ata", "even"):
        assert shares(rule, SCORES, 8, 1, MOST).tolist() == [1] * 8
    assert shares("no anchors", SCORES, 8, 1, MOST).tolist() == [0, 4, 1, 0, 0, 0, 0, 3]


def test_without_anchors_only_what_is_relevant_keeps_tokens():
    assert shares("no anchors", SCORES, 64, 1, MOST).tolist() == [0, 8, 3, 0, 0, 0, 0, 7]
    assert shares("ata", SCORES, 64, 1, MOST).tolist() == [1, 8, 3, 1, 1, 1, 1, 7]


def test_a_tail_is_what_stands_last():
    memory = MemoryTokens(torch.arange(2 * MOST).view(2, MOST, 1).float(), np.array([0.0, 1.0]))
    turned = flipped(memory, np.array([1, 3]))
    assert turned.tokens[0, :1].flatten().tolist() == [7]
    assert turned.tokens[1, :3].flatten().tolist() == [13, 14, 15]


@pytest.mark.parametrize(("minutes", "segment"), [(1, 4.0), (60, 28.125)])
def test_a_needle_is_alone_in_its_segments_and_of_its_kinds(minutes, segment):
    for number in range(20):
        found = plan_needle(np.random.default_rng(number), minutes, 10)
        assert found.end - found.start == pytest.approx(10)
        assert 0 < found.start < found.end < 60 * minutes
        own = next(group for group in found.scene.groups if group[0].start == found.start)
        kinds = {thing.kind for thing in own}
        assert len(kinds) == 3
        for group in found.scene.groups:
            if group != own:
                assert not kinds & {thing.kind for thing in group}
                assert group[0].end <= found.start - segment or group[0].start >= found.end + segment


def test_a_needle_between_two_frames_is_not_sampled():
    frames = np.round(np.linspace(0, 2 * 7200 - 1, 1024)) / 2  # of two hours at two a second
    number = 0
    for seed in range(60):
        found = plan_needle(np.random.default_rng(seed), 120, 2)
        seen = [time for time in frames if found.start <= time < found.end]
        assert sampled(found, SamplingOptions()) == bool(seen)
        number += bool(seen)
    assert 9 <= number <= 26  # 2 s of every 7.03 s: 17 of 60
    assert sampled(plan_needle(np.random.default_rng(0), 5, 2), SamplingOptions())


def test_questions_that_only_one_rule_answers_are_counted():
    def trial(ata: bool, even: bool, drawn: int) -> Trial:
        right = {"ata": ata, "even": even}
        results = [
            Result(family, average, rule, right.get(rule, False))
            for family in needle._FAMILIES
            for average in needle._AVERAGES
            for rule in needle._RULES
        ]
        return Trial(results, [True, False], drawn, dict.fromkeys(needle._AVERAGES, ata))

    trials = [trial(True, False, 1), trial(True, True, 3), trial(False, True, 1), trial(True, False, 1)]
    told = summed_up([*trials, Trial([], [], 2, {})], tally(trials))
    own = told["describe 1.5"]
    assert (own["ata"]["right"], own["even"]["right"], own["ata"]["n"]) == (75.0, 50.0, 4)
    assert (own["only ata"], own["only even"]) == (2, 1)
    assert (told["needle first"]["right"], told["needle first"]["n"]) == (50.0, 8)
    assert (told["needle sampled"]["right"], told["needle sampled"]["n"]) == (62.5, 8)
    assert told["needle sampled by frames 1.5"]["right"] == 75.0

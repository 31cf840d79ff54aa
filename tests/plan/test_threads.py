"""The numbers of the thread plan."""

import pytest

from tempo_cli.plan.threads import (
    SMALL_MODEL,
    computing_threads,
    decoder_threads,
    resizing_threads,
    waiting_choice,
)


@pytest.mark.parametrize(
    ("device", "parameters", "environment", "threads"),
    [
        ("cpu", 2_000_000, {}, 1),
        ("cpu", SMALL_MODEL, {}, 1),
        ("cpu", SMALL_MODEL + 1, {}, None),
        ("cuda", 2_000_000, {}, None),
        ("mps", 2_000_000, {}, None),
        ("cpu", 2_000_000, {"OMP_NUM_THREADS": "3"}, None),
        ("cpu", 2_000_000, {"MKL_NUM_THREADS": "3"}, None),
        ("cpu", 2_000_000, {"OMP_NUM_THREADS": ""}, 1),
    ],
)
def test_small_models_compute_with_one_thread(device, parameters, environment, threads):
    assert computing_threads(device, parameters, environment) == threads


@pytest.mark.parametrize(
    ("cores", "processes", "threads"),
    [(1, 1, 1), (2, 2, 1), (2, 1, 2), (8, 4, 2), (8, 3, 2), (64, 4, 4), (2, 4, 1)],
)
def test_decoders_share_the_cores(cores, processes, threads):
    assert decoder_threads(cores, processes) == threads


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (4, 4), (64, 4)])
def test_resizing_takes_a_few_threads(cores, threads):
    assert resizing_threads(cores) == threads


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({}, None),
        ({"OMP_NUM_THREADS": "1"}, None),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "OMP_WAIT_POLICY"),
        ({"GOMP_SPINCOUNT": "0"}, "GOMP_SPINCOUNT"),
        ({"KMP_BLOCKTIME": "200"}, "KMP_BLOCKTIME"),
    ],
)
def test_how_threads_wait_is_the_users_choice(environment, chosen):
    assert waiting_choice(environment) == chosen

"""Errors travel between processes: a program may spread its videos over several."""

import copy
import pickle

import pytest

from tempo_cli import errors


@pytest.mark.parametrize("kind", [errors.TempoError, errors.VideoError, errors.NotDownloadedError])
@pytest.mark.parametrize("through", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_an_error_comes_back_whole_from_another_process(kind, through):
    error = kind("no video", "look again")
    error.exit_code = 143
    back = through(error)
    assert (type(back), str(back), back.message, back.hint) == (kind, "no video", "no video", "look again")
    assert back.exit_code == 143

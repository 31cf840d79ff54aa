"""A browser for the tests here, where there is one; `TEMPO_TEST_REQUIRE=browser` makes its lack a failure."""

import os
from collections.abc import Iterator

import pytest

from .chromium import AXE, PROGRAM, Browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests."""
    if PROGRAM is None or not AXE.exists():
        if "browser" in os.environ.get("TEMPO_TEST_REQUIRE", ""):
            pytest.fail("there is no Chromium or no axe-core: run tests/browser/setup.sh")
        pytest.skip("there is no Chromium or no axe-core (tests/browser/setup.sh)")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()

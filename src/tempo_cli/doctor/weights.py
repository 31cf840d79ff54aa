"""The Hub, its cache on this machine, and the models in it."""

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import DEFAULT_MODEL
from ..errors import ModelError, NotDownloadedError
from ..files import exists
from ..texts import size
from .findings import Configuration, Finding, Level, guarded, one_line

if TYPE_CHECKING:
    from ..hub.inventory import ModelState

DEFAULT_MODEL_BYTES = 13 * 10**9  # a little more than the released weights take in bfloat16
_SHORT = 8  # characters of a commit that are shown
_TIMEOUT = 3.0  # seconds for the Hub's answer
_LONGEST = 4.0  # seconds with the search for its address, which has no limit of its own


def findings(configuration: Configuration) -> Iterator[Finding]:
    """Where models come from and lie, then the one that `ask` would take, then all others."""
    hub = _look(bool(configuration.value("offline")))
    yield from guarded("hub", _hub, hub)
    yield from guarded("token", _token)
    yield from guarded("cache", _cache, hub)
    yield from guarded("model", _asked, configuration, hub)
    yield from guarded("others", _others, configuration)


@dataclass(frozen=True)
class _Hub:
    """What decides whether a model can be fetched.

    Attributes:
        offline: the network must not be used.
        silent: why it does not answer; None if it does, or was not asked.
        unwritable: why nothing can be written to the cache; None if it can.
    """

    endpoint: str
    cache: Path
    free: int
    offline: bool
    silent: str | None
    unwritable: str | None

    def obstacle(self, wanted: int) -> tuple[str, str] | None:
        """Why `wanted` bytes can't be fetched, and what to do first; None if nothing is known against it."""
        if self.offline:
            return "offline", "Go online"
        if self.silent is not None:
            return "the Hub does not answer", "Fix the connection"
        if self.unwritable is not None:
            return "the cache can't be written", "Fix the cache"
        if self.free < wanted:
            lack = f"{size(wanted)} are needed, {size(self.free)} of disk space is free"
            return lack, "Free some disk space, or set HF_HUB_CACHE to a larger one"
        return None


def _look(offline: bool) -> _Hub:
    from ..hub import environment

    offline = offline or environment.is_offline()
    cache = environment.cache_folder()
    silent = None if offline else _silence()
    return _Hub(
        environment.endpoint(), cache, environment.free_bytes(cache), offline, silent, _unwritable(cache)
    )


def _silence() -> str | None:
    """Why the Hub does not answer; None if it does. Asked in a thread: looking up a name can hang."""
    from ..hub.environment import hub_reachable

    answers: list[str | None] = []

    def ask() -> None:
        try:
            answers.append(hub_reachable(_TIMEOUT))
        except Exception as error:  # noqa: BLE001  a thread would print the traceback
            answers.append(f"{type(error).__name__}: {one_line(error)}")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_LONGEST)
    return answers[0] if answers else f"no answer within {_LONGEST:.0f} s"


def _unwritable(folder: Path) -> str | None:
    """Why nothing can be written to `folder`, or to where it would be made; tried out, nothing stays."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if exists(path))
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return one_line(error.strerror or error)


def _hub(hub: _Hub) -> Iterator[Finding]:
    facts = {"endpoint": hub.endpoint, "offline": hub.offline, "reachable": None}
    if hub.offline:
        yield Finding("hub", Level.note, f"offline: {hub.endpoint} is not asked", facts=facts)
        return
    facts["reachable"] = hub.silent is None
    if hub.silent is None:
        yield Finding("hub", Level.ok, f"{hub.endpoint} answers", facts=facts)
        return
    hint = "Check the network, HTTPS_PROXY and HF_ENDPOINT; models that are here already run with `offline`."
    yield Finding("hub", Level.warning, f"{hub.endpoint} does not answer: {hub.silent}", hint, facts)


def _token() -> Iterator[Finding]:
    from ..hub.environment import has_token

    there = has_token()
    message = "there is one" if there else "none (public models need none)"
    yield Finding("token", Level.ok, message, facts={"present": there})


def _cache(hub: _Hub) -> Iterator[Finding]:
    facts = {"path": str(hub.cache), "free_bytes": hub.free, "writable": hub.unwritable is None}
    if hub.unwritable is not None:
        message = f"{hub.cache} can't be written: {hub.unwritable}"
        yield Finding("cache", Level.warning, message, "Fix its permissions, or set HF_HUB_CACHE.", facts)
    else:
        yield Finding("cache", Level.ok, f"{hub.cache}, {size(hub.free)} of disk free", facts=facts)


def _asked(configuration: Configuration, hub: _Hub) -> Iterator[Finding]:
    """The model that `ask` would take.

    Raises:
        ModelError: it is no model's name, or a local folder that is not a model.
    """
    from ..hub.inventory import model_state
    from ..hub.locations import check_downloaded

    model, revision = configuration.value("model"), configuration.value("revision")
    state = model_state(model, revision)
    if state.complete:
        yield Finding("model", Level.ok, _described(state), facts=state.facts)
        yield from _scope("model", state)
        return
    lack = f"{model}: {state.missing[0]}"
    try:
        check_downloaded(model, revision)
    except NotDownloadedError:
        found = _fetchable(lack, _pull(model, revision), state.facts, hub.obstacle(_wanted(state)))
        yield _with_packaged(found) if model == DEFAULT_MODEL else found
    else:
        hint = "Add the missing files, or set TEMPO_MODEL to another model."
        yield Finding("model", Level.problem, lack, hint, state.facts)


def _fetchable(lack: str, pull: str, facts: dict[str, Any], obstacle: tuple[str, str] | None) -> Finding:
    """What is said of a model that a pull would complete, if it could reach the Hub."""
    if obstacle is None:
        return Finding("model", Level.warning, f"{lack}; ask offers to download it", f"Run: {pull}", facts)
    reason, first = obstacle
    message = f"{lack}, and can't be downloaded: {reason}"
    return Finding("model", Level.problem, message, f"{first}, then run: {pull}", facts)


def _with_packaged(found: Finding) -> Finding:
    """Without the default model `ask` still runs with the one that comes with tempo, which is said here."""
    from ..hub.inventory import packaged

    usable = [state for state in packaged() if state.complete]
    if not usable:
        return found
    hint = f"{found.hint}; or use `model={usable[0].id!r}`: {usable[0].scope}"
    return replace(found, level=Level.warning, hint=hint)


def _wanted(state: "ModelState") -> int:
    """Bytes still to be fetched, as far as they are known without asking the Hub."""
    return max(0, DEFAULT_MODEL_BYTES - state.bytes) if state.id == DEFAULT_MODEL else 0


def _others(configuration: Configuration) -> Iterator[Finding]:
    """What comes along, and every other model in the cache; none of them stops `ask`."""
    from ..hub.inventory import inventory, model_state, packaged

    try:
        asked = model_state(configuration.value("model"), configuration.value("revision")).folder
    except ModelError:  # told as the model that was asked for
        asked = None
    for state in (*packaged(), *inventory()):
        if state.folder == asked:
            continue
        name = f"{state.id}@{state.revision[:_SHORT]}" if state.revision else state.id
        if state.complete:
            yield Finding(name, Level.ok, _described(state), facts=state.facts)
            yield from _scope(name, state)
        else:
            hint = f"Run: {_pull(state.id, state.revision)}, or: tempo models rm {state.id}"
            hint = hint if state.revision else "Install tempo again."
            yield Finding(name, Level.note, f"incomplete: {state.missing[0]}", hint, state.facts)


def _scope(name: str, state: "ModelState") -> Iterator[Finding]:
    """What it can answer, in its own words."""
    if state.scope:
        yield Finding(name, Level.note, state.scope, facts={"scope": state.scope})


def _described(state: "ModelState") -> str:
    revision = f" at {state.revision[:_SHORT]}" if state.revision else ""
    return f"{state.id}{revision}, {size(state.bytes)}, complete: {state.folder}"


def _pull(model: str, revision: str | None) -> str:
    return f"tempo pull {model}" + (f" --revision {revision}" if revision else "")

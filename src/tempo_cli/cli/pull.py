"""`tempo pull`: download a model, and offer to do so when another command needs one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..config import DEFAULT_MODEL, MIN_RATE
from ..errors import NotDownloadedError
from ..schema import Request
from . import options as o
from .console import Screen, expect
from .text import printable, size

if TYPE_CHECKING:
    from ..hub.plan import PullPlan

_RESEARCH = "weights for academic, non-commercial research only"


def pull(
    command: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", envvar="TEMPO_MODEL", show_envvar=False, help="Hub repository, or a folder."
        ),
    ] = o.MODEL,
    revision: o.Revision = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show license, files and sizes; download nothing.")
    ] = False,
    offline: o.Offline = False,
    min_rate: o.MinRate = MIN_RATE,
    quiet: o.Quiet = False,
    color: o.WhenColor = o.Color.auto,
) -> None:
    """Download a model into the shared Hugging Face cache, and print where it is.

    Only the files that tempo uses are downloaded, and two rows of the base model instead of all its weights.
    After an interruption, the next pull resumes.

    Example: tempo pull Vision-CAIR/Tempo-6B
    """
    waiting = expect(command, Request(model=model))
    from ..hub.locations import is_packaged

    with Screen(json=False, quiet=quiet, verbose=False, color=color, waiting=waiting) as screen:
        if is_packaged(model):
            screen.print(f"{model} comes with tempo: there is nothing to download")
            screen.line(printable(str(_found(model, None))))
            return
        if dry_run:
            _rehearse(model, revision, screen, offline)
            return
        if _is_offline(offline):
            folder: Path | None = _found(model, revision)
        else:
            folder = _fetched(model, revision, screen, ask=False, min_rate=min_rate)
        screen.line(printable(str(folder)))


def ensure(model: str, revision: str | None, screen: Screen, *, yes: bool, offline: bool) -> None:
    """Nothing where the model is here and whole. Else offer to fetch it.

    Args:
        yes: fetch without a question.

    Raises:
        NotDownloadedError: the network may not be used, nobody is there to ask, or the answer was no.
        ModelError: it can't be fetched.
    """
    lack = _lack(model, revision)
    if lack is None:
        return
    if _is_offline(offline):
        raise _with_nano(_not_now(lack), model)
    if not yes and not screen.is_interactive:
        raise _with_nano(NotDownloadedError(lack.message, f"{lack.hint}, or give --yes"), model)
    screen.print(lack.message)
    if model == DEFAULT_MODEL:
        screen.print(_nano())
    if _fetched(model, revision, screen, ask=not yes) is None:
        raise _with_nano(lack, model)


def _with_nano(lack: NotDownloadedError, model: str) -> NotDownloadedError:
    """The same error, with what works without a download where the default model is missing."""
    if model != DEFAULT_MODEL:
        return lack
    return NotDownloadedError(lack.message, f"{lack.hint}. {_nano()}")


def _nano() -> str:
    from ..hub.inventory import packaged

    scopes = [f": {state.scope}" for state in packaged() if state.scope]
    return f"A small model comes with tempo, --model nano{next(iter(scopes), '')}"


def _fetched(
    model: str, revision: str | None, screen: Screen, *, ask: bool, min_rate: int = MIN_RATE
) -> Path | None:
    """The model's folder, everything in it; None if the user declined."""
    from ..hub.plan import make_plan
    from ..hub.pull import carry_out
    from ..hub.remote import Hub

    hub = Hub(tell=screen.on_event, min_rate=min_rate)
    plan = make_plan(hub, model, revision)
    _describe(plan, screen)
    if ask and not screen.confirm("Download it now?"):
        return None
    return carry_out(hub, plan, screen.on_event)


def _lack(model: str, revision: str | None) -> NotDownloadedError | None:
    from ..hub.locations import check_downloaded

    try:
        check_downloaded(model, revision)
    except NotDownloadedError as error:
        return error
    return None


def _not_now(lack: NotDownloadedError) -> NotDownloadedError:
    return NotDownloadedError(lack.message, f"{lack.hint} without --offline and HF_HUB_OFFLINE")


def _is_offline(offline: bool) -> bool:
    from ..hub.environment import is_offline

    return offline or is_offline()


def _found(model: str, revision: str | None) -> Path:
    """The folder of a model that must be here."""
    from ..hub.locations import find_model

    lack = _lack(model, revision)
    if lack is not None:
        raise _not_now(lack)
    return find_model(model, revision).path


def _describe(plan: "PullPlan", screen: Screen) -> None:
    from ..hub.environment import cache_folder, free_bytes

    if plan.weights is not None:
        listing = plan.weights.listing
        screen.print(f"{plan.model} at commit {listing.commit[:12]}")
        screen.print(f"license: {_license(plan.model, listing.license)}")
    if plan.base is not None:
        screen.print(f"base: {plan.base.listing.repository}, small files and two rows of its head")
    rest = plan.size - plan.here
    screen.print(f"size: {size(plan.size)} in {len(plan.files)} files, {size(rest)} to download")
    screen.print(f"into: {cache_folder()} ({size(free_bytes(cache_folder()))} free)")


def _license(model: str, card: str | None) -> str:
    if model != DEFAULT_MODEL:
        return card or "not stated by the repository"
    return f"{card} ({_RESEARCH})" if card else _RESEARCH


def _rehearse(model: str, revision: str | None, screen: Screen, offline: bool) -> None:
    from ..hub.plan import make_plan
    from ..hub.remote import Hub

    plan = make_plan(Hub(offline=offline, tell=screen.on_event), model, revision)
    _describe(plan, screen)
    screen.show(_files(plan))


def _files(plan: "PullPlan") -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    grid.add_column("file", overflow="fold")
    grid.add_column("size", justify="right", no_wrap=True)
    for file in plan.files:
        grid.add_row(printable(f"{file.repository}/{file.path}"), size(file.size))
    return grid

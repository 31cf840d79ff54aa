"""What the Hub or the way to it refuses: in our words, and whether another attempt makes sense."""

from errno import EADDRNOTAVAIL, EHOSTUNREACH, ENETDOWN, ENETUNREACH
from socket import gaierror

from httpx2 import TimeoutException, TransportError
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..errors import ModelError
from .environment import endpoint, has_token

LONGEST_WAIT = 60.0  # seconds, where the Hub itself says how long

_NO_WAY = frozenset({ENETDOWN, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL})
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_KEPT = "What was downloaded so far is kept; run the same command again."
_LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN."
_PRIVATE = "Check the name. For a private repository, log in with `hf auth login`, or set HF_TOKEN."


def explained(error: Exception, repository: str, revision: str) -> ModelError:
    """An error of the HTTP library as one of ours."""
    if isinstance(error, GatedRepoError):
        terms = f"Accept its terms at {endpoint()}/{repository}. {_LOG_IN}"
        return ModelError(f"{repository} is only available after accepting its terms", terms)
    if isinstance(error, RevisionNotFoundError):
        return ModelError(f"{repository} has no revision '{revision}'", "Check the branch, tag or commit.")
    if isinstance(error, RemoteEntryNotFoundError):
        return ModelError(f"a file of {repository} is no longer on the Hub", _KEPT)
    if isinstance(error, RepositoryNotFoundError):
        return ModelError(f"the Hub has no {repository}, or it is private", _PRIVATE)
    if isinstance(error, HfHubHTTPError):
        return _refused(error.response.status_code, repository)
    if isinstance(error, TimeoutException):
        return ModelError(f"{endpoint()} does not answer in time", _KEPT)
    why = " ".join(str(error).split()) or type(error).__name__
    kept = "Run the same command again later." if _is_unreachable(error) else _KEPT
    return ModelError(f"{endpoint()} can't be reached: {why}", f"Check the connection. {kept}")


def _refused(status: int, repository: str) -> ModelError:
    if status == 401 and has_token():
        return ModelError("the Hub does not accept this token (401)", _LOG_IN)
    if status in (401, 403):
        return ModelError(f"the Hub refuses access to {repository} ({status})", _LOG_IN)
    if status == 416:
        hint = "Report it to the repository's owner."
        return ModelError(f"a file of {repository} is shorter than it should be", hint)
    if status == 429:
        return ModelError("too many requests to the Hub (429)", f"Wait a moment. {_KEPT}")
    return ModelError(f"the Hub answers with an error ({status})", _KEPT)


def may_pass(error: Exception, *, reached: bool = True) -> bool:
    """Whether another attempt makes sense: a lost connection, a timeout, 429, 5xx.

    Args:
        reached: whether the Hub answered before. If it never did, a name that is not found, a refused
            connection and a missing network do not pass by themselves.
    """
    if not reached and _is_unreachable(error):
        return False
    return isinstance(error, TransportError) or status(error) in _PASSING


def _is_unreachable(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, (gaierror, ConnectionRefusedError)) or getattr(error, "errno", 0) in _NO_WAY:
            return True
        error = error.__cause__ or error.__context__
    return False


def status(error: Exception) -> int | None:
    """The HTTP status; None where there was no answer."""
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def wait_asked_for(error: Exception) -> float:
    """Seconds that the Hub asks for, within reason."""
    asked = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return min(float(asked), LONGEST_WAIT) if asked.isdecimal() else 0.0

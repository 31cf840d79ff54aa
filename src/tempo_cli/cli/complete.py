"""Shell completion of option values. Imports are deferred until they are needed."""

from collections.abc import Callable, Sequence


def models(incomplete: str) -> list[str]:
    """The models that are here."""
    from ..hub.inventory import inventory, packaged

    names = dict.fromkeys(state.id for state in (*packaged(), *inventory()))
    return [name for name in names if name.startswith(incomplete)]


def one_of(*values: str) -> Callable[[str], Sequence[str]]:
    """Completes to one of `values`."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete

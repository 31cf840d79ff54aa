"""What is said of pictures that a player shows otherwise, beyond their shape and colors (`picture`)."""

from collections.abc import Iterator

from ..types import Tracks


def unseen(tracks: Tracks) -> tuple[str, ...]:
    """A warning for each thing that a player would show differently. Sound does not count."""
    return tuple(_warnings(tracks))


def _warnings(tracks: Tracks) -> Iterator[str]:
    if tracks.interlaced:
        yield "the video is interlaced: the model sees both fields of a picture at once"
    if tracks.alpha:
        yield "the video has transparency: the model sees its colors everywhere, without a background"
    if tracks.texts_on:
        yield "the video has a text track that a player shows: the model does not see it"

"""A byte-level BPE tokenizer in which text can never turn into a special token."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ModelError
from ..vocabulary import build_tokenizer, panics_as_errors

_AGAIN = "Download the model again."


@contextmanager
def _tokenizing() -> Iterator[None]:
    try:
        with panics_as_errors():
            yield
    except ValueError as error:
        raise ModelError(f"the tokenizer fails: {error}", _AGAIN) from error


class TextTokenizer:
    """Text to ids and back, by the checkpoint's own `tokenizer.json`."""

    def __init__(self, serialized: str) -> None:
        try:
            self._backend = build_tokenizer(serialized)
        except ValueError as error:
            raise ModelError(f"tokenizer.json can't be read: {error}", _AGAIN) from error
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = True

    @property
    def vocabulary(self) -> int:
        """Number of ids, special tokens included."""
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, special tokens in it as plain text; what is not valid Unicode is replaced."""
        valid = text.encode("utf-8", "replace").decode("utf-8")
        with _tokenizing():
            ids: list[int] = self._backend.encode(valid, add_special_tokens=False).ids
        return ids

    def special_id(self, name: str) -> int:
        """Id of a special token."""
        token = self._backend.token_to_id(name)
        if token is None:
            raise ModelError(f"the tokenizer has no {name}", "This is not a Tempo checkpoint.")
        return int(token)

    def word_id(self, word: str) -> int:
        """Id of a word that must be one token."""
        ids = self.encode(word)
        if len(ids) != 1:
            raise ModelError(
                f"{word!r} is not one token of the base model", "This is not a Tempo checkpoint."
            )
        return ids[0]

    def decode(self, ids: list[int]) -> str:
        """Text of `ids` without special tokens."""
        with _tokenizing():
            return str(self._backend.decode(ids, skip_special_tokens=True))


class TextStream:
    """Turns ids into text as they come: pieces in a row are exactly the stripped text of all ids."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._shown = ""

    def push(self, token: int) -> str:
        """The text that is certain now: an unfinished character or trailing space waits for the next id."""
        self._ids.append(token)
        certain = self._tokenizer.decode(self._ids).strip().rstrip("\ufffd").rstrip()
        return self._advance(certain)

    def finish(self) -> str:
        """What was held back."""
        return self._advance(self._tokenizer.decode(self._ids).strip())

    @property
    def text(self) -> str:
        """Everything shown so far."""
        return self._shown

    def _advance(self, text: str) -> str:
        piece = text[len(self._shown) :]
        self._shown += piece
        return piece

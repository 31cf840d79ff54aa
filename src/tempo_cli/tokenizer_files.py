"""The files of a model's tokenizer: `tokenizer.json`, or the older ones from which it can be made.

Qwen models come with both. The older files are `vocab.json`, `merges.txt` and `added_tokens.json`;
`tokenizer_config.json` says which of the added tokens are special, where it is there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .checked import parse_object
from .files import LARGEST_JSON, LARGEST_TOKENIZER, read_bytes

TOKENIZER = "tokenizer.json"
_VOCABULARY, _MERGES, _ADDED, _FLAGS = (
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "tokenizer_config.json",
)
_OLDER = (_VOCABULARY, _MERGES, _ADDED)

# how every Qwen model since the second cuts a text into words
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizer_names(has: Callable[[str], bool]) -> tuple[str, ...]:
    """The names of the files that a tokenizer is read from; only `tokenizer.json` where none are complete.

    Args:
        has: whether there is a file of this name.
    """
    if has(TOKENIZER) or not all(has(name) for name in _OLDER):
        return (TOKENIZER,)
    return (*_OLDER, _FLAGS) if has(_FLAGS) else _OLDER


def read_tokenizer(folder: Path) -> str:
    """The text of a folder's `tokenizer.json`, read or made.

    Raises:
        OSError: a file is missing or can't be read.
        ValueError: a file is not what its name says.
    """
    names = tokenizer_names(lambda name: (folder / name).is_file())
    if names == (TOKENIZER,):
        return read_bytes(folder / TOKENIZER, LARGEST_TOKENIZER, whole=True).decode("utf-8")
    vocabulary, added = (_numbers(folder / name) for name in (_VOCABULARY, _ADDED))
    flags = _special(folder / _FLAGS) if _FLAGS in names else {}
    tokens = [
        {
            "id": number,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": flags.get(content, content.startswith("<|") and content.endswith("|>")),
        }
        for content, number in sorted(added.items(), key=lambda item: item[1])
    ]
    return json.dumps(_document(vocabulary, _merges(folder / _MERGES), tokens))


def is_readable(path: Path) -> bool:
    """Whether one of the older files is what its name says."""
    try:
        if path.name == _MERGES:
            _merges(path)
        elif path.name == _FLAGS:
            _special(path)
        else:
            _numbers(path)
    except ValueError:
        return False
    return True


def is_older(name: str) -> bool:
    """Whether a file of this name is one of the older ones."""
    return name in (*_OLDER, _FLAGS)


def _document(vocabulary: dict[str, int], merges: list[list[str]], added: list[Any]) -> dict[str, Any]:
    bytes_alone = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    words = {"type": "Split", "pattern": {"Regex": _WORDS}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [words, bytes_alone]},
        "post_processor": None,
        "decoder": bytes_alone,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def _numbers(path: Path) -> dict[str, int]:
    """Tokens with their numbers."""
    found = parse_object(read_bytes(path, LARGEST_JSON, whole=True))
    if not all(type(number) is int and 0 <= number < 2**31 for number in found.values()):
        raise ValueError(f"{path.name} does not give every token a number")
    return found


def _merges(path: Path) -> list[list[str]]:
    """Pairs of tokens, the first ones first; a first line that begins with `#version` is none."""
    lines = read_bytes(path, LARGEST_JSON, whole=True).decode("utf-8").split("\n")
    if lines[0].startswith("#version"):
        del lines[0]
    pairs = [line.rstrip("\r").split(" ") for line in lines if line.strip()]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        raise ValueError(f"{path.name} is not a list of pairs")
    return pairs


def _special(path: Path) -> dict[str, bool]:
    """Which of the added tokens are special, as far as the file says."""
    told = parse_object(read_bytes(path, LARGEST_JSON, whole=True)).get("added_tokens_decoder", {})
    if not isinstance(told, dict) or not all(isinstance(token, dict) for token in told.values()):
        raise ValueError(f"{path.name} does not describe the added tokens")
    return {str(token.get("content")): token.get("special") is True for token in told.values()}

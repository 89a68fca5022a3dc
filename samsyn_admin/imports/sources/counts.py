"""Sentences with a number of things."""

import re

_SINGULAR_OR_PLURAL = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")


def counted(text: str, count: int) -> str:
    """Return a sentence about so many things: `{count} {date does|dates do} not exist.`

    `{count}` becomes the number, and of each `{…|…}` the first words stay for one thing, the
    second for any other number.
    """
    words = _SINGULAR_OR_PLURAL.sub(lambda match: match[1 if count == 1 else 2], text)
    return words.replace("{count}", f"{count:,}")

"""The slug of a name: what stands for it in a URL."""

from __future__ import annotations

import re

LONGEST = 255
_NOT_IN_URLS = re.compile(r"[\s/?#]+")


def slug(name: str) -> str:
    """Return `name` in lower case, runs of white space, `/`, `?` and `#` as one `-`; never empty.

    Letters of every script stay. Different names can have the same slug.
    """
    return _NOT_IN_URLS.sub("-", name.lower()).strip("-")[:LONGEST] or "-"

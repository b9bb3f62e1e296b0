"""What MkDocs does with our pages on top: links that lead out of `docs/` go to the repository, or are their words alone.

On a code host the same links open the files. `repo_url` in `mkdocs.yml`, or in the environment as `TFLM_SPLIT_URL`, says where
the repository is.
"""

from __future__ import annotations

import os
import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """The page with links that work where it is shown."""
    url = (config.get("repo_url") or os.environ.get("TFLM_SPLIT_URL", "")).rstrip("/")
    return OUTSIDE.sub(rf"[\1]({url}/blob/main/\2)" if url else r"\1", markdown)

"""Which tests may be skipped where `CI=true`? All tools are installed there, so a skip for want of a tool is a fault."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

ALLOWED = (
    r"root may (read|write)",  # CI may run as root, whom file modes do not stop
    r"the corpus .* not ",  # the real models lie next to the checkout, not in it
    r"needs a device that is always full",
    r"the table was measured with .*, here is ",  # another release of the cross compiler
    r"refused by the reader",  # odd files of the corpus
    r"got empty parameter set",  # one test for each file of a corpus that is not there
)
"""Allowed reasons, as patterns that match their beginning."""


def unexpected(config: pytest.Config) -> Iterator[str]:
    """`test: reason` for every skipped test whose reason is not in ALLOWED. Empty where CI is not set."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    for report in reporter.stats.get("skipped", ()):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not any(re.match(pattern, reason) for pattern in ALLOWED):
            yield f"{report.nodeid}: {reason}"

"""What a webhook's URL and secret have to be."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from esl_agent.config.hosts import is_loopback
from esl_agent.config.sections import TrafficConfig

#: As Standard Webhooks has it.
SECRET_PREFIX: Final = "whsec_"  # noqa: S105
SECRET_BYTES_MIN: Final = 24


def webhook_problems(traffic: TrafficConfig) -> Iterator[str]:
    """A line for each thing to put right; neither the URL nor the secret is repeated."""
    if not traffic.webhook_url:
        return
    url = _split(traffic.webhook_url)
    if url is None:
        yield "[traffic] webhook_url is not a URL written https://host/path, without a name or password in it"
    elif url.scheme == "http" and not traffic.webhook_plain and not is_loopback(url.hostname or ""):
        yield (
            "[traffic] webhook_url is not encrypted and leaves this machine: use https,"
            " or allow it with webhook_plain"
        )
    if not _is_secret(traffic.webhook_secret):
        yield (
            f"[traffic] webhook_secret has to be {SECRET_PREFIX} and at least {SECRET_BYTES_MIN} random bytes"
            " in base64: `openssl rand -base64 32` makes them"
        )


def _split(text: str) -> SplitResult | None:
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return None
    is_good = url.scheme in ("https", "http") and url.hostname and port != 0 and "@" not in url.netloc
    return url if is_good else None


def _is_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(SECRET_PREFIX) and len(key) >= SECRET_BYTES_MIN

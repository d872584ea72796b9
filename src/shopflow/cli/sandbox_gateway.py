"""`shopflow demo gateway`: a payment gateway to try things out with."""

import asyncio
import os
from pathlib import Path

from shopflow.cli.output import tell
from shopflow.orders.payments.sandbox_server import SandboxServer, serve
from shopflow.orders.payments.sandbox_webhooks import Delivery


def gateway(
    *,
    host: str = "127.0.0.1",
    port: int = 8790,
    webhook_url: str | None = None,
    webhook_copies: int = 1,
    webhook_delay: float = 0.0,
    webhook_reorder: bool = False,
    state: Path | None = None,
) -> None:
    """Run the sandbox, a payment gateway over HTTP that takes no money, until it is interrupted.

    Its tokens: tok_visa, tok_mastercard, tok_declined, tok_insufficient_funds, tok_expired_card,
    tok_capture_declined, tok_refund_declined, tok_void_declined. A fault for a coming call:
    POST /control/faults with {"fault": "timeout_after", "kind": "capture"}; also error_, drop_ and
    timeout_ with before or after.

    Clients show `SANDBOX_API_KEY`, and webhooks are signed with `SANDBOX_WEBHOOK_SECRET`: both are
    read from the environment.

    Args:
        host: where to listen.
        port: 0 for a free one.
        webhook_url: where to send webhooks; none are sent without it.
        webhook_copies: how often each is sent.
        webhook_delay: seconds before each is sent.
        webhook_reorder: send every second one before the first.
        state: the file to keep everything in; memory without it.
    """
    server = SandboxServer(
        api_key=os.environ.get("SANDBOX_API_KEY", ""),
        webhook_secret=os.environ.get("SANDBOX_WEBHOOK_SECRET", ""),
        delivery=Delivery(
            url=webhook_url,
            copies=webhook_copies,
            delay=webhook_delay,
            reorder=webhook_reorder,
        ),
        state=state,
    )
    try:
        asyncio.run(serve(server, host, port, lambda url: tell(f"the sandbox is at {url}")))
    except KeyboardInterrupt:
        tell("stopped")

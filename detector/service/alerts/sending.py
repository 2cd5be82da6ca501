"""One message to one webhook: signed by Standard Webhooks, over a connection to the address that was judged.

See https://www.standardwebhooks.com: ``webhook-id`` is the same at each try, ``webhook-timestamp`` and
``webhook-signature`` are of this one.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from standardwebhooks.webhooks import Webhook

from detector.service.alerts.addresses import AddressRefusedError, Target, read_target, resolve
from detector.version import VERSION

#: Seconds for one step (connecting, one read), and for all of it.
STEP_SECONDS, ALL_SECONDS = 5.0, 10.0
#: Bytes of an answer that are read; what it says is not kept.
ANSWER_BYTES = 4_096


@dataclass(frozen=True)
class Sent:
    """What came of it. ``status``: of the answer, ``None`` without one; ``problem``: what went wrong, else ``None``."""

    status: int | None
    problem: str | None

    @property
    def taken(self) -> bool:
        """Whether the other side took the message."""
        return self.problem is None


def send(url: str, secret: str, message_id: str, body: str, now: datetime, private_hosts: Sequence[str] = ()) -> Sent:
    """Send one message and say what came of it; raises nothing. Redirects are not followed, TLS is verified."""
    try:
        target = read_target(url, private_hosts)
        address = resolve(target, private_hosts)
        headers = {
            "content-type": "application/json",
            "user-agent": f"dynamic-anomaly-detection/{VERSION}",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, now, body),
        }
        status = _post(target, address, headers, body.encode())
    except AddressRefusedError as error:
        return Sent(None, error.message)
    except ssl.SSLCertVerificationError as error:
        return Sent(None, f"The certificate of the other side is not valid: {error.verify_message}.")
    except ssl.SSLError:
        return Sent(None, "The other side does not speak TLS as it should.")
    except TimeoutError:
        return Sent(None, "The other side did not answer in time.")
    except socket.gaierror:
        return Sent(None, "The name of the host cannot be resolved.")
    except ConnectionRefusedError:
        return Sent(None, "Nobody listens at that address and port.")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Sent(None, f"The other side cannot be reached or answers nonsense ({type(error).__name__}).")
    if 200 <= status < 300:
        return Sent(status, None)
    if 300 <= status < 400:
        return Sent(status, f"It answers {status}: it wants the message elsewhere, and redirects are not followed.")
    return Sent(status, f"It answers {status}.")


class _Plain(http.client.HTTPConnection):
    """A connection to ``address`` that speaks as if it had resolved ``host`` itself."""

    def __init__(self, target: Target, address: str) -> None:
        super().__init__(target.host, target.port, timeout=STEP_SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _Secure(http.client.HTTPSConnection):
    """The same with TLS: the certificate has to be that of ``host``."""

    def __init__(self, target: Target, address: str) -> None:
        self._trust = ssl.create_default_context()
        super().__init__(target.host, target.port, timeout=STEP_SECONDS, context=self._trust)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self.timeout)
        try:
            self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _post(target: Target, address: str, headers: dict[str, str], body: bytes) -> int:
    """Return the status of the answer; a side that answers a byte at a time is hung up on."""
    connection = (_Secure if target.scheme == "https" else _Plain)(target, address)
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        held = connection.sock
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    timer = threading.Timer(ALL_SECONDS, hang_up)
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", target.path, body, headers)
        answer = connection.getresponse()
        status = answer.status
        answer.read(ANSWER_BYTES)
        if late.is_set():
            # Half an answer reads as a whole one when the connection ends.
            raise TimeoutError
        return status
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        connection.close()

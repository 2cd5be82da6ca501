"""A small OpenID Connect provider on this machine: whoever comes chooses who to be, without a password."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "detector", "the-secret-of-the-client"


class Provider(BaseHTTPRequestHandler):
    """Authorization code flow with one client and some people."""

    people: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    key: ClassVar[RSAKey]
    codes: ClassVar[dict[str, dict[str, str]]] = {}

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        root = f"http://{self.headers['Host']}"
        if address.path == "/.well-known/openid-configuration":
            self._json({
                "issuer": root,
                "authorization_endpoint": f"{root}/authorize",
                "token_endpoint": f"{root}/token",
                "jwks_uri": f"{root}/keys",
                "end_session_endpoint": f"{root}/end",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            })  # fmt: skip
        elif address.path == "/keys":
            self._json({"keys": [self.key.as_dict(private=False, use="sig", alg="RS256")]})
        elif address.path == "/authorize" and "as" not in query:
            links = [f'<a href="/authorize?{urlencode(query | {"as": who})}">{who}</a>' for who in self.people]
            self._answer("text/html", f"<h1>Who are you?</h1>{'<br>'.join(links)}".encode())
        elif address.path == "/authorize":
            code = secrets.token_hex(16)
            self.codes[code] = query
            self._redirect(f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}")
        elif address.path == "/end":
            self._redirect(query["post_logout_redirect_uri"])
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = self.codes.pop(body["code"][0])
        now = int(time.time())
        claims = {
            "iss": f"http://{self.headers['Host']}", "aud": CLIENT, "iat": now, "exp": now + 600,
            "nonce": asked["nonce"], **self.people[asked["as"]],
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        self._json({"access_token": secrets.token_hex(8), "token_type": "Bearer", "id_token": token, "expires_in": 600})

    def _json(self, document: object) -> None:
        self._answer("application/json", json.dumps(document).encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, place: str) -> None:
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def provider(people: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Run a provider for some people, given their claims; give its address."""
    Provider.people = people
    Provider.key = RSAKey.generate_key(2048, {"kid": "one"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def secrets_file(provider_address: str, dashboard_address: str) -> str:
    """Return what Streamlit is told of the provider, as TOML."""
    return (
        f'[auth]\nredirect_uri = "{dashboard_address}/oauth2callback"\n'
        f'cookie_secret = "{secrets.token_hex(32)}"\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
        f'server_metadata_url = "{provider_address}/.well-known/openid-configuration"\n'
    )

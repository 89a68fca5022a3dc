"""A Clerk instance for tests: RSA keys, session tokens, and a JWKS address that can fail."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from samsyn_model.settings import Settings

ISSUER = "https://clerk.samsyn.test"
PARTY = "http://localhost:5173"
"""The web app that sessions are made for."""
PUBLISHABLE_KEY = "pk_test_" + base64.b64encode(b"clerk.samsyn.test$").decode()


_private_keys: dict[str, RSAPrivateKey] = {}


def private_key(kid: str = "first") -> RSAPrivateKey:
    """The RSA key of this name, the same throughout a run."""
    if kid not in _private_keys:
        _private_keys[kid] = generate_private_key(public_exponent=65537, key_size=2048)
    return _private_keys[kid]


def public_pem(kid: str = "first") -> str:
    key = private_key(kid).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def session_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a session token valid now; a change to None leaves the claim out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "user_anna",
        "sid": "sess_1",
        "iat": now - 30,  # before whatever a test does to the account
        "nbf": now - 10,
        "exp": now + 60,
        "azp": PARTY,
        "sts": "active",
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def session_token(
    *, kid: str = "first", headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A session token signed by the key `kid`, with changes to its claims."""
    return jwt.PyJWS().encode(  # not jwt.encode, which refuses some of the broken claims
        json.dumps(session_claims(**changes)).encode(),
        private_key(kid),
        algorithm="RS256",
        headers={"kid": kid, "typ": "JWT"} | (headers or {}),
    )


def settings(**values: Any) -> Settings:
    """Settings of these values alone, whatever the environment says."""
    return Settings.model_construct(**{"clerk_authorized_parties": ()} | values)


def jwk(kid: str) -> dict[str, Any]:
    document = jwt.algorithms.RSAAlgorithm.to_jwk(private_key(kid).public_key(), as_dict=True)
    return document | {"kid": kid, "use": "sig", "alg": "RS256"}


class JwksServer:
    """What the JWKS address answers, and how often it was asked."""

    def __init__(self, *kids: str) -> None:
        self.document: Any = {"keys": [jwk(kid) for kid in kids]}
        self.status = 200
        self.delay = 0.0
        self.fetches = 0
        self.url = ""

    def body(self) -> bytes:
        return (
            self.document
            if isinstance(self.document, bytes)
            else json.dumps(self.document).encode()
        )


@contextmanager
def jwks_server(*kids: str) -> Iterator[JwksServer]:
    """Serve the public keys of these names on a port of this machine."""
    state = JwksServer(*kids)
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.fetches += 1
            released.wait(state.delay)
            body = state.body()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):  # the client may have given up waiting
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/.well-known/jwks.json"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()

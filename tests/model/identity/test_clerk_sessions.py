"""Session tokens: what is accepted, what is refused, and how the keys come and stay."""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from samsyn_model.errors import CredentialsError
from samsyn_model.identity import clerk_sessions
from samsyn_model.identity.clerk_sessions import ClerkVerifier, derive_issuer
from samsyn_model.identity.signing_keys import parse_public_key
from tests.clerk_instance import (
    ISSUER,
    PUBLISHABLE_KEY,
    jwk,
    jwks_server,
    private_key,
    public_pem,
    session_claims,
    session_token,
    settings,
)

PEM = public_pem()
BARE = "".join(PEM.splitlines()[1:-1])


def verifier(**values: Any) -> ClerkVerifier:
    return ClerkVerifier(settings(clerk_jwt_key=PEM, clerk_issuer=ISSUER, **values))


def segment(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def test_a_valid_session_names_its_user() -> None:
    issued = int(time.time())
    session = verifier().verify(session_token(sub="user_42", iat=issued))
    assert session == clerk_sessions.ClerkSession(clerk_id="user_42", issued_at=issued)


@pytest.mark.parametrize(
    ("claims", "is_admin"),
    [
        ({"public_metadata": {"isAdmin": True}}, True),
        ({"public_metadata": {"isAdmin": False}}, False),
        ({"public_metadata": {"isAdmin": "true"}}, None),
        ({"public_metadata": {"isAdmin": 1}}, None),
        ({"public_metadata": {}}, None),
        ({"public_metadata": "isAdmin"}, None),
        ({"isAdmin": True}, None),
    ],
)
def test_only_a_true_boolean_makes_an_administrator(claims: Any, is_admin: bool | None) -> None:
    assert verifier().verify(session_token(**claims)).is_admin is is_admin


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "anna@example.org", "email_verified": True}, "anna@example.org"),
        ({"email": "anna@example.org", "email_verified": False}, None),
        ({"email": "anna@example.org", "email_verified": "true"}, None),
        ({"email": "anna@example.org"}, None),
        ({"email": "a\x00@example.org", "email_verified": True}, None),
        ({"email": ["anna@example.org"], "email_verified": True}, None),
    ],
)
def test_only_a_verified_email_is_told(claims: Any, email: str | None) -> None:
    assert verifier().verify(session_token(**claims)).email == email


def test_clocks_may_differ_by_the_leeway() -> None:
    now = int(time.time())
    assert verifier().verify(session_token(exp=now - 2, iat=now + 3, nbf=now + 3))


def test_an_audience_is_no_concern_of_ours() -> None:
    assert verifier().verify(session_token(aud="somebody"))


PARTIES = ("http://localhost:5173/", "https://app.example.org")


@pytest.mark.parametrize("azp", ["http://localhost:5173", "https://app.example.org/"])
def test_an_authorised_party_is_accepted(azp: str) -> None:
    assert verifier(clerk_authorized_parties=PARTIES).verify(session_token(azp=azp))


def test_a_session_of_no_party_is_accepted_where_a_setting_says_so() -> None:
    token = session_token(azp=None)
    assert verifier().verify(token), "no parties are set"
    with pytest.raises(CredentialsError, match="azp"):
        verifier(clerk_authorized_parties=PARTIES).verify(token)
    lenient = verifier(clerk_authorized_parties=PARTIES, clerk_azp_required=False)
    assert lenient.verify(token)
    with pytest.raises(CredentialsError, match="another application"):
        lenient.verify(session_token(azp="https://evil.test"))


def now(seconds: int = 0) -> int:
    return int(time.time()) + seconds


REFUSED: dict[str, Callable[[], str]] = {
    "expired": lambda: session_token(exp=now(-6)),
    "not yet valid": lambda: session_token(nbf=now(30)),
    "issued in the future": lambda: session_token(iat=now(30)),
    "without exp": lambda: session_token(exp=None),
    "without iat": lambda: session_token(iat=None),
    "without nbf": lambda: session_token(nbf=None),
    "without sub": lambda: session_token(sub=None),
    "without iss": lambda: session_token(iss=None),
    "other issuer": lambda: session_token(iss="https://clerk.elsewhere.test"),
    "issuer as a list": lambda: session_token(iss=[ISSUER]),
    "issuer as a prefix": lambda: session_token(iss=ISSUER + ".evil.test"),
    "endless": lambda: session_token(exp=float("inf")),
    "exp no number": lambda: session_token(exp="soon"),
    "empty sub": lambda: session_token(sub=""),
    "sub with NUL": lambda: session_token(sub="user\x00"),
    "sub no text": lambda: session_token(sub=7),
    "long sub": lambda: session_token(sub="u" * 256),
    "pending": lambda: session_token(sts="pending"),
    "access token of OAuth": lambda: session_token(headers={"typ": "at+jwt"}),
    "unknown critical header": lambda: session_token(headers={"crit": ["x"], "x": 1}),
    "other application": lambda: session_token(azp="https://evil.test"),
    "no application": lambda: session_token(azp=None),
    "empty application": lambda: session_token(azp=""),
    "azp no text": lambda: session_token(azp=["http://localhost:5173"]),
    "oversized": lambda: session_token(padding="x" * 9000),
    "other key, known kid": lambda: session_token(kid="other", headers={"kid": "first"}),
    "none": lambda: jwt.encode(session_claims(), None, algorithm="none"),
    "none with kid": lambda: (
        f"{segment({'alg': 'none', 'kid': 'first'})}.{segment(session_claims())}."
    ),
    "empty": lambda: "",
    "no token": lambda: "abc",
    "dots": lambda: "..",
    "not ASCII": lambda: "å.ä.ö",
    "deep header": lambda: segment(b"[" * 5000) + ".e30.e30",
    "header no object": lambda: segment([1]) + ".e30.e30",
    "kid no text": lambda: f"{segment({'alg': 'RS256', 'kid': 1})}.e30.e30",
    "typ no text": lambda: f"{segment({'alg': 'RS256', 'typ': {}})}.e30.e30",
    "alg no text": lambda: f"{segment({'alg': ['RS256']})}.e30.e30",
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("source", ["pem", "jwks"])
def test_refused(name: str, source: str) -> None:
    party = ("http://localhost:5173",)
    with jwks_server("first") as server:
        given = {"clerk_jwt_key": PEM} if source == "pem" else {"clerk_jwks_url": server.url}
        refusing = ClerkVerifier(
            settings(clerk_issuer=ISSUER, clerk_authorized_parties=party, **given)
        )
        assert refusing.verify(session_token()), "the same verifier accepts a good one"
        with pytest.raises(CredentialsError):
            refusing.verify(REFUSED[name]())


@pytest.mark.parametrize("secret", [PEM, PEM.strip(), BARE])
@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "hs256"])
def test_the_public_key_is_no_shared_secret(secret: str, algorithm: str) -> None:
    signed = f"{segment({'alg': algorithm, 'kid': 'first'})}.{segment(session_claims())}"
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    with pytest.raises(CredentialsError):
        verifier().verify(f"{signed}.{segment(mac)}")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithms_of_the_same_key_are_refused(algorithm: str) -> None:
    token = jwt.encode(session_claims(), private_key(), algorithm, headers={"kid": "first"})
    with pytest.raises(CredentialsError):
        verifier().verify(token)


def test_a_key_inside_the_token_is_not_used() -> None:
    headers = {"kid": "first", "jwk": jwk("other"), "jku": "http://127.0.0.1:9/", "x5c": ["AA"]}
    with pytest.raises(CredentialsError):
        verifier().verify(session_token(kid="other", headers=headers))


def test_every_tampering_is_refused() -> None:
    header, payload, signature = session_token().split(".")
    claims = session_claims(sub="user_admin", public_metadata={"isAdmin": True})
    with pytest.raises(CredentialsError):
        verifier().verify(f"{header}.{segment(claims)}.{signature}")
    seeded = random.Random(1)
    token = f"{header}.{payload}.{signature}"
    whole = len(token) - 1  # the last character carries bits that base64 does not use
    for _ in range(300):
        place = seeded.randrange(whole)
        other = seeded.choice([c for c in "AQgw09-_.~ {\n" if c != token[place]])
        with pytest.raises(CredentialsError):
            verifier_once().verify(token[:place] + other + token[place + 1 :])


def verifier_once(made: list[ClerkVerifier] = []) -> ClerkVerifier:  # noqa: B006
    made.extend([] if made else [verifier()])
    return made[0]


def test_garbage_is_refused_and_nothing_worse() -> None:
    seeded = random.Random(2)
    for _ in range(500):
        parts = [segment(seeded.randbytes(seeded.randrange(60))) for _ in range(3)]
        if seeded.random() < 0.5:
            parts[0] = segment({"alg": "RS256", "kid": "first"})
        with pytest.raises(CredentialsError):
            verifier_once().verify(".".join(parts))


def test_without_clerk_no_session_is_valid() -> None:
    with pytest.raises(CredentialsError):
        ClerkVerifier(settings()).verify(session_token())


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        PEM.replace("\n", "\\n"),
        PEM.replace("\n", "\r\n"),
        PEM.replace("\n", " "),
        f'"{PEM}"',
        BARE,
        BARE.rstrip("="),
        private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
    ],
)
def test_the_key_is_read_as_environments_carry_it(text: str) -> None:
    assert parse_public_key(text).public_numbers() == private_key().public_key().public_numbers()
    assert ClerkVerifier(settings(clerk_jwt_key=text)).verify(session_token())


def _ec_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _short_pem() -> str:
    key = generate_private_key(public_exponent=65537, key_size=1024).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("text", ["no key", "å", "", _ec_pem(), _short_pem(), PEM[:200]])
def test_a_broken_key_is_told_at_start(text: str) -> None:
    with pytest.raises(ValueError, match="CLERK_JWT_KEY"):
        parse_public_key(text)


def test_issuer_from_the_publishable_key() -> None:
    assert derive_issuer(PUBLISHABLE_KEY) == ISSUER
    assert derive_issuer(PUBLISHABLE_KEY.rstrip("=").replace("_test_", "_live_")) == ISSUER
    only_key = ClerkVerifier(settings(clerk_publishable_key=PUBLISHABLE_KEY, clerk_jwt_key=PEM))
    assert only_key.verify(session_token())
    with pytest.raises(CredentialsError):
        only_key.verify(session_token(iss="https://elsewhere.test"))


@pytest.mark.parametrize(
    "text",
    ["pk_test_", "sk_test_" + PUBLISHABLE_KEY[8:], "pk_test_!!", "pk_test_" + segment(b"host")]
    + ["pk_test_" + segment(host) for host in (b"a/b$", b"u@h$", b"$", b"h\n$", b"\xff$", b"a b$")],
)
def test_a_broken_publishable_key_is_told_at_start(text: str) -> None:
    with pytest.raises(ValueError, match="CLERK_PUBLISHABLE_KEY"):
        ClerkVerifier(settings(clerk_publishable_key=text))


def test_only_http_addresses_have_keys() -> None:
    with pytest.raises(ValueError, match="CLERK_JWKS_URL"):
        ClerkVerifier(settings(clerk_jwks_url="file:///etc/passwd"))

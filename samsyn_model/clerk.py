"""Clerk sessions: JWTs verified with the instance's public keys, which survive an outage."""

import base64
import binascii
import logging
import re
import threading
from dataclasses import dataclass
from time import monotonic
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from samsyn_model.errors import CredentialsError
from samsyn_model.settings import Settings

LOGGER = logging.getLogger(__name__)

MAX_TOKEN = 8192
LEEWAY = 5.0
JWKS_TIMEOUT = 3.0
JWKS_LIFESPAN = 300.0
JWKS_INTERVAL = 10.0
JWKS_BURST = 3.0
MINIMUM_KEY_BITS = 2048

_INVALID = "The token is not valid: it is neither a session of ours nor an API token."
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
_PUBLISHABLE_KEY = re.compile(r"pk_(?:test|live)_([A-Za-z0-9+/_-]+)=*")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ClerkSession:
    """What a verified session JWT says of its user; what it does not say is None."""

    clerk_id: str
    issued_at: int
    is_admin: bool | None = None
    email: str | None = None
    """The primary email, only when the JWT says that it is verified."""


class ClerkVerifier:
    """Verifies the session JWTs of the Clerk instance that the settings name; one a process.

    Raises ValueError at once when a key in the settings cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._pem_key = parse_public_key(settings.clerk_jwt_key) if settings.clerk_jwt_key else None
        self._issuer = settings.clerk_issuer
        jwks_url = settings.clerk_jwks_url
        if settings.clerk_publishable_key and not (self._issuer and (self._pem_key or jwks_url)):
            derived = derive_issuer(settings.clerk_publishable_key)
            self._issuer = self._issuer or derived
            jwks_url = jwks_url or f"{derived}/.well-known/jwks.json"
        if jwks_url is None and self._issuer:
            jwks_url = f"{self._issuer}/.well-known/jwks.json"
        self._keys = SigningKeys(jwks_url) if jwks_url and not self._pem_key else None
        self._parties = frozenset(p.rstrip("/") for p in settings.clerk_authorized_parties)

    def verify(self, token: str) -> ClerkSession:
        """Return what the token says. Raises CredentialsError unless it is valid right now."""
        if len(token) > MAX_TOKEN:
            raise CredentialsError(_INVALID)
        try:
            header = jwt.get_unverified_header(token)
            key = self._find_key(header)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=[self._issuer, f"{self._issuer}/"] if self._issuer else None,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "nbf", "sub"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise CredentialsError("The session token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise CredentialsError(_INVALID) from error
        self._check_party(claims)
        return _session(claims)

    def _find_key(self, header: dict[str, Any]) -> RSAPublicKey:
        # Clerk signs OAuth access tokens with the same keys: their type is `at+jwt`.
        if header.get("alg") != "RS256" or str(header.get("typ", "JWT")).upper() != "JWT":
            raise CredentialsError(_INVALID)
        if self._pem_key:
            return self._pem_key
        kid = header.get("kid")
        key = self._keys.find(kid) if self._keys and isinstance(kid, str) else None
        if key is None:
            raise CredentialsError(_INVALID)
        return key

    def _check_party(self, claims: dict[str, Any]) -> None:
        party = claims.get("azp")
        if party is None or not self._parties:
            return
        if not isinstance(party, str) or party.rstrip("/") not in self._parties:
            raise CredentialsError("The session token was made for another application.")


def _session(claims: dict[str, Any]) -> ClerkSession:
    if claims.get("sts") == "pending":
        raise CredentialsError("The session is pending: finish signing in first.")
    if not _SUBJECT.fullmatch(claims["sub"]):
        raise CredentialsError(_INVALID)
    metadata = claims.get("public_metadata")
    is_admin = metadata.get("isAdmin") if isinstance(metadata, dict) else None
    email = claims.get("email") if claims.get("email_verified") is True else None
    return ClerkSession(
        clerk_id=claims["sub"],
        issued_at=int(claims["iat"]),
        is_admin=is_admin if isinstance(is_admin, bool) else None,
        email=email if isinstance(email, str) and email.isprintable() and "@" in email else None,
    )


def derive_issuer(publishable_key: str) -> str:
    """Return the issuer that a publishable key names: `pk_test_` + base64("host$").

    Raises ValueError when it is no publishable key.
    """
    match = _PUBLISHABLE_KEY.fullmatch(publishable_key.strip())
    try:
        decoded = _decode_base64(match[1]).decode("ascii") if match else ""
    except ValueError:
        decoded = ""
    if not decoded.endswith("$") or not _HOST.fullmatch(decoded[:-1]):
        raise ValueError("CLERK_PUBLISHABLE_KEY is not a publishable key of Clerk.")
    return f"https://{decoded[:-1].lower()}"


def parse_public_key(text: str) -> RSAPublicKey:
    """Return the RSA key in a PEM text, also as environment variables carry it.

    Lines may be parted by newlines, by the two characters `\\n` or by spaces, and the BEGIN and END
    lines may be missing. Raises ValueError when there is no such key in it.
    """
    text = text.strip().strip("'\"").replace("\\r", "").replace("\\n", "\n")
    body = re.sub(r"-----(?:BEGIN|END) (?:RSA )?PUBLIC KEY-----|\s", "", text)
    try:
        key = load_der_public_key(_decode_base64(body))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("CLERK_JWT_KEY is not a public key in PEM.") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < MINIMUM_KEY_BITS:
        raise ValueError(f"CLERK_JWT_KEY is not an RSA key of {MINIMUM_KEY_BITS} bits or more.")
    return key


def _decode_base64(text: str) -> bytes:
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


class SigningKeys:
    """The public keys behind a JWKS URL, by key id; safe for threads, one a process.

    A key once seen answers at once, also while the URL does not: it is looked up again in the
    background. An unknown key id asks the URL, but all of them together no more often than once
    in `JWKS_INTERVAL` seconds, after a burst of `JWKS_BURST`.
    """

    def __init__(self, url: str) -> None:
        try:
            # Clerk's CDN refuses urllib's own user agent.
            self._client = jwt.PyJWKClient(
                url,
                cache_jwk_set=False,
                timeout=JWKS_TIMEOUT,
                headers={"User-Agent": "SamSyn"},
            )
        except jwt.PyJWTError as error:
            raise ValueError("CLERK_JWKS_URL is not an http or https address.") from error
        self._keys: dict[str, RSAPublicKey] = {}
        self._fetching = threading.Lock()
        self._stale_at = self._asked_at = self._allowance_at = monotonic()
        self._allowance = JWKS_BURST

    def find(self, kid: str) -> RSAPublicKey | None:
        """Return the key, or None when the instance has no such key or cannot be asked."""
        key = self._keys.get(kid)
        if key is None:
            return self._ask_for(kid)
        if monotonic() >= self._stale_at:
            self._renew()
        return key

    def _ask_for(self, kid: str) -> RSAPublicKey | None:
        began = monotonic()
        if self._fetching.acquire(timeout=JWKS_TIMEOUT):
            try:
                # Whoever waited here takes what the other one brought.
                asked_meanwhile = self._asked_at > began
                if kid not in self._keys and not asked_meanwhile and self._take_allowance():
                    self._fetch()
            finally:
                self._fetching.release()
        return self._keys.get(kid)

    def _take_allowance(self) -> bool:
        now = monotonic()
        refill = (now - self._allowance_at) / JWKS_INTERVAL
        self._allowance = min(JWKS_BURST, self._allowance + refill)
        self._allowance_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _renew(self) -> None:
        if not self._fetching.acquire(blocking=False):
            return
        self._stale_at = monotonic() + JWKS_INTERVAL
        threading.Thread(target=self._renew_and_release, daemon=True).start()

    def _renew_and_release(self) -> None:
        try:
            self._fetch()
        finally:
            self._fetching.release()

    def _fetch(self) -> None:
        """Replace the keys, unless the URL answers with none; the lock is held."""
        try:
            keys = _rsa_keys(self._client.fetch_data())
        except (jwt.PyJWTError, OSError, ValueError) as error:
            LOGGER.warning("The keys of Clerk cannot be fetched: %s", error)
            keys = {}
        if keys:
            self._keys = keys
            self._stale_at = monotonic() + JWKS_LIFESPAN
        self._asked_at = monotonic()


def _rsa_keys(document: dict[str, Any]) -> dict[str, RSAPublicKey]:
    found = {}
    members = document.get("keys")
    for member in members if isinstance(members, list) else ():
        if not isinstance(member, dict) or not isinstance(member.get("kid"), str):
            continue
        if member.get("use", "sig") != "sig" or member.get("alg", "RS256") != "RS256":
            continue
        try:
            key = jwt.PyJWK(member, algorithm="RS256").key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= MINIMUM_KEY_BITS:
            found[member["kid"]] = key
    return found

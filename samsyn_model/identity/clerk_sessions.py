"""Clerk sessions: JWTs verified with the instance's public keys."""

import re
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from samsyn_model.errors import CredentialsError, ExpiredSessionError
from samsyn_model.identity.signing_keys import SigningKeys, decode_base64, parse_public_key
from samsyn_model.settings import Settings

MAX_TOKEN = 8192

LEEWAY = 5.0

_INVALID = "The token is not valid: it is neither a session of ours nor an API token."

_MAX_AGE = 60 * 24 * 366 * 10  # minutes

_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")

_PUBLISHABLE_KEY = re.compile(r"pk_(?:test|live)_([A-Za-z0-9+/_-]+)=*")

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ClerkSession:
    """The claims of a verified session JWT about its user; None for a claim that is absent."""

    clerk_id: str
    issued_at: int
    is_admin: bool | None = None
    email: str | None = None
    """The primary email, only when the JWT states that it is verified."""
    begun_at: int = field(default=0, compare=False)
    """When the person signed in, or a minute later: Clerk renews a session's JWT every minute."""


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
        self._azp_required = settings.clerk_azp_required

    @property
    def is_configured(self) -> bool:
        """Whether the settings name an instance, so that some session can be valid."""
        return self._pem_key is not None or self._keys is not None

    def verify(self, token: str) -> ClerkSession:
        """Return the claims of a token.

        Raises CredentialsError unless it is valid now, ExpiredSessionError where it was.
        """
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
            raise ExpiredSessionError("The session token has expired.") from error
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
        if not self._parties or (party is None and not self._azp_required):
            return
        if party is None:
            raise CredentialsError("The session token does not name its application (azp).")
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
        begun_at=int(claims["iat"]) - 60 * _minutes_since_sign_in(claims),
        is_admin=is_admin if isinstance(is_admin, bool) else None,
        email=email if isinstance(email, str) and email.isprintable() and "@" in email else None,
    )


def _minutes_since_sign_in(claims: dict[str, Any]) -> int:
    """Return the age of the session's first factor (`fva`), 0 where the JWT does not tell."""
    ages = claims.get("fva")
    age = ages[0] if isinstance(ages, list) and ages else None
    return age if type(age) is int and 0 <= age <= _MAX_AGE else 0


def derive_issuer(publishable_key: str) -> str:
    """Return the issuer that a publishable key names: `pk_test_` + base64("host$").

    Raises ValueError when it is no publishable key.
    """
    match = _PUBLISHABLE_KEY.fullmatch(publishable_key.strip())
    try:
        decoded = decode_base64(match[1]).decode("ascii") if match else ""
    except ValueError:
        decoded = ""
    if not decoded.endswith("$") or not _HOST.fullmatch(decoded[:-1]):
        raise ValueError("CLERK_PUBLISHABLE_KEY is not a publishable key of Clerk.")
    return f"https://{decoded[:-1].lower()}"

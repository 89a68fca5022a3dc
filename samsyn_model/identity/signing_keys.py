"""The public keys of a Clerk instance, which survive an outage of its JWKS endpoint."""

import base64
import binascii
import logging
import re
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

LOGGER = logging.getLogger(__name__)

JWKS_TIMEOUT = 3.0

JWKS_LIFESPAN = 300.0
"""Seconds for which fetched keys are valid without another fetch."""

JWKS_RENEWAL = 240.0
"""Seconds after which keys that are in use are fetched again in the background."""

JWKS_GRACE = 3600.0
"""Seconds for which keys remain valid after their lifespan while they cannot be fetched."""

JWKS_PATIENCE = 60.0
"""Seconds for which the failure of a fetch stands: no request waits for another one."""

JWKS_INTERVAL = 10.0

JWKS_BURST = 3.0

MINIMUM_KEY_BITS = 2048


def parse_public_key(text: str) -> RSAPublicKey:
    """Return the RSA key in a PEM text, also as environment variables carry it.

    Lines may be parted by newlines, by the two characters `\\n` or by spaces, and the BEGIN and END
    lines may be missing. Raises ValueError when there is no such key in it.
    """
    text = text.strip().strip("'\"").replace("\\r", "").replace("\\n", "\n")
    body = re.sub(r"-----(?:BEGIN|END) (?:RSA )?PUBLIC KEY-----|\s", "", text)
    try:
        key = load_der_public_key(decode_base64(body))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("CLERK_JWT_KEY is not a public key in PEM.") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < MINIMUM_KEY_BITS:
        raise ValueError(f"CLERK_JWT_KEY is not an RSA key of {MINIMUM_KEY_BITS} bits or more.")
    return key


def decode_base64(text: str) -> bytes:
    """Return what base64 text encodes, in either alphabet, padded or not; raises ValueError."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


class SigningKeys:
    """The public keys behind a JWKS URL, by key id; safe for threads, one a process.

    A key is valid for `JWKS_LIFESPAN` after a fetch, and is fetched again in the background before
    that ends. One that nobody has used for so long is fetched before it is valid again. While the
    URL does not respond, known keys are valid for `JWKS_GRACE` more, without a wait. An unknown key
    id makes a request, but all of them together no more than one in `JWKS_INTERVAL` seconds, after
    a burst of `JWKS_BURST`.
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
        self._renew_at = self._fetched_at = self._valid_at = self._allowance_at = monotonic()
        self._allowance = JWKS_BURST

    def find(self, kid: str) -> RSAPublicKey | None:
        """Return the key, or None when the instance has no such key or cannot be reached."""
        now = monotonic()
        if kid not in self._keys:
            return self._request(kid)
        if now >= self._valid_at + JWKS_LIFESPAN and now >= self._fetched_at + JWKS_PATIENCE:
            self._fetch_once(lambda: True)
        elif now >= self._renew_at:
            self._renew()
        if monotonic() >= self._valid_at + JWKS_LIFESPAN + JWKS_GRACE:
            return None
        return self._keys.get(kid)

    def _request(self, kid: str) -> RSAPublicKey | None:
        self._fetch_once(lambda: kid not in self._keys and self._take_allowance())
        return self._keys.get(kid)

    def _fetch_once(self, is_needed: Callable[[], bool]) -> None:
        """Fetch the keys, or wait for whoever fetches them already."""
        began = monotonic()
        if self._fetching.acquire(timeout=JWKS_TIMEOUT):
            try:
                if self._fetched_at <= began and is_needed():
                    self._fetch()
            finally:
                self._fetching.release()

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
        self._renew_at = monotonic() + JWKS_INTERVAL
        threading.Thread(target=self._renew_and_release, daemon=True).start()

    def _renew_and_release(self) -> None:
        try:
            self._fetch()
        finally:
            self._fetching.release()

    def _fetch(self) -> None:
        """Replace the keys, unless the response has none; the caller holds the lock."""
        try:
            keys = _rsa_keys(self._client.fetch_data())
        except Exception as error:  # a malformed response makes the library raise various errors
            LOGGER.warning("The keys of Clerk cannot be fetched: %s", error)
            keys = {}
        self._fetched_at = monotonic()
        if keys:
            self._keys, self._valid_at = keys, self._fetched_at
        self._renew_at = self._fetched_at + (JWKS_RENEWAL if keys else JWKS_INTERVAL)


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

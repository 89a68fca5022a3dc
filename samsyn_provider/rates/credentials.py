"""Wrong credentials: an address that has sent too many is refused before any is looked up.

Many people may share an address, and one of their programs may repeat a token that has been
revoked. So credentials that this process has accepted before are looked up all the same, and API
tokens, sessions and everything else are counted separately.
"""

from collections.abc import Callable

from samsyn_model.identity.api_tokens import TOKEN_PREFIX
from samsyn_provider.rates.rate_limits import Rate, RateLimits

MAX_ACCEPTED = 50_000
"""How many accepted credentials a process remembers, as numbers from which they cannot be told."""


class CredentialLimit:
    """The credentials that a process looks up; thread-safe."""

    def __init__(self, limits: RateLimits, digest: Callable[[str], int] = hash) -> None:
        self._limits = limits
        self._digest = digest
        self._accepted: dict[int, None] = {}

    def check(self, credential: str, address: str | None) -> None:
        """Raise TooManyRequestsError where a credential from an address is not to be looked up."""
        if address is not None and self._digest(credential) not in self._accepted:
            self._limits.check(Rate.WRONG_CREDENTIALS, _key(credential, address))

    def accept(self, credential: str) -> None:
        """Remember that a credential is valid."""
        digest = self._digest(credential)
        if digest not in self._accepted:
            if len(self._accepted) >= MAX_ACCEPTED:
                self._accepted.clear()
            self._accepted[digest] = None

    def count_wrong(self, credential: str, address: str | None) -> None:
        """Count a credential from an address that has been looked up and is not valid."""
        self._accepted.pop(self._digest(credential), None)
        if address is not None:
            self._limits.count(Rate.WRONG_CREDENTIALS, _key(credential, address))


def _key(credential: str, address: str) -> str:
    if credential.startswith(TOKEN_PREFIX):
        kind = "token"
    else:
        kind = "session" if "." in credential else "other"
    return f"{kind}:{address}"

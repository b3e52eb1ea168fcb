"""Seals and opens resume tokens: an itsdangerous envelope of session, secret and generation. The only caller of
itsdangerous' loader.

The envelope keeps strangers from asking the database; the session's row is the authority, so a leaked key opens
nothing, and no time is in the token that a clock could disagree with.
"""

from dataclasses import dataclass
from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

from history.errors import Invalid, Unauthorized

TOKEN_LENGTH = 2048
"""Longer ones are refused before they are looked at."""

KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Claim:
    """What a resume token says: this session, proved by this secret."""

    session_id: str
    secret: str
    generation: int


class Tokens:
    """Resume tokens under a list of keys, the newest first; the newest signs, all of them verify."""

    def __init__(self, keys: list[str]) -> None:
        for key in keys:
            if len(key) < KEY_LENGTH:
                raise Invalid(f"A secret key must have at least {KEY_LENGTH} characters")
        if not keys:
            raise Invalid("There must be a secret key")
        self.serializer = URLSafeSerializer(
            list(reversed(keys)),
            salt="stillhere.resume",
            signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
        )

    def seal(self, claim: Claim) -> str:
        return str(self.serializer.dumps([claim.session_id, claim.secret, claim.generation]))

    def open(self, token: object) -> Claim:
        """What the token says. Raises Unauthorized, with one answer for everything that is wrong with it."""
        if not isinstance(token, str) or len(token) > TOKEN_LENGTH:
            raise Unauthorized("The token is not valid")
        try:
            session_id, secret, generation = self.serializer.loads(token)
        except (BadData, ValueError, TypeError) as error:
            raise Unauthorized("The token is not valid") from error
        return Claim(session_id, secret, generation)

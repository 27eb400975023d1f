"""A moto server that judges Secrets Manager as AWS does: it is told which secret each call is about.

moto's own evaluation of policies decides. It lacks two things, which are given to it here: the resource of calls to
Secrets Manager, and `?` in patterns of resources. Run as `python -m moto_iam -H … -p …`.
"""

from __future__ import annotations

import re
from typing import Any

from moto.iam.access_control import IAMPolicyStatement
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.server import main


def secret_of(response: Any) -> str:
    """Return the ARN of the secret that a call is about; of one that is not there, with its name alone at the end."""
    name = response._get_param("SecretId") or response._get_param("Name") or ""
    if name.startswith("arn:"):
        return str(name)
    secret = response.backend.secrets.get(name)
    if secret is not None:
        return str(secret.arn)
    return f"arn:aws:secretsmanager:{response.region}:{response.current_account}:secret:{name}"


def match(pattern: str, string: str) -> re.Match[str] | None:
    """Match a pattern of IAM: `*` is any text, `?` one character, everything else itself."""
    parts = [{"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)]
    return re.fullmatch("".join(parts), string)


if __name__ == "__main__":
    SecretsManagerResponse._determine_resource = secret_of  # type: ignore[attr-defined]
    IAMPolicyStatement._match = staticmethod(match)  # type: ignore[assignment,method-assign]
    main()

"""Why a release is not active, in sentences for people: what the rule selects, what is pending, what is held back."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.runtime.releases.standing import ReleaseStanding

__all__ = ["waiting_sentences"]


def waiting_sentences(standing: ReleaseStanding) -> Iterator[str]:
    """Yield why what the model folder asks for is not in the active release, the first thing to mend first."""
    if standing.rule is None:
        yield "run `datasurface apply`"
        return
    following = standing.known.following
    seen, pending, pin = following.seen, following.pending, following.pin
    yield f"the environment follows {standing.rule} in {standing.store}"
    if seen is None:
        yield "nobody has looked there yet: run `datasurface release follow`, or is the job `--system apply` off?"
        return
    when = f"{seen.at:%Y-%m-%d %H:%M:%SZ}"
    if seen.error:
        yield f"the release store could not be looked at, last at {when}: {seen.error}"
    elif seen.ref is None:
        yield f"the rule selected nothing there at {when}: publish a release that it takes"
        return
    if pending is not None:
        yield f"{pending.ref} is pending since {pending.since:%Y-%m-%d %H:%M:%SZ}: {pending.reason}"
    elif pin is not None:
        yield f"{pin.who} rolled back from {pin.left[:12]}: a newer release or `datasurface release unpin` ends that"
    elif seen.digest is not None and seen.digest == standing.known.active:
        yield f"{seen.ref}, which it selected at {when}, is active: publish a newer release that has it"
    elif seen.ref:
        yield f"{seen.ref} was selected at {when}: the next look makes it active"

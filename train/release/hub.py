"""A release goes to the hub in one commit: it is there as a whole or not at all."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harvest.store import FieldsmithError, UsageError

log = logging.getLogger(__name__)

TOKEN = "HF_TOKEN"  # noqa: S105
"""Name of the environment variable that holds the hub's token, which is read here and handed on to the hub's client only."""

OURS = ("adapter", "gguf", "merged")
"""Folders of a release; on the hub they hold what is pushed and nothing from before. Other files there stay."""


def push(folder: Path, repo: str, *, private: bool = True) -> str:
    """Upload `folder` to the model repository `repo` (owner/name), made if it is missing; returns its address.

    Hidden files stay here. Errors: `UsageError` for a name that cannot be one, `FieldsmithError` without a token, without a
    connection, and where the hub refuses.
    """
    from huggingface_hub import HfApi

    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise FieldsmithError(f"{repo} cannot be pushed to without a token: set {TOKEN} to one of the hub's tokens that may write")
    if not any(path.is_file() for path in folder.rglob("*")):
        raise FieldsmithError(f"there is nothing in {folder} to push to {repo}: export the model first")
    api = HfApi(token=token)
    with _said_plainly(repo):
        # exist_ok: a release is pushed again and again; the visibility of a repository that exists stays as its owners set it.
        address = str(api.create_repo(repo, private=private, exist_ok=True))
        log.info("pushing %s to %s", folder, repo)
        api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            ignore_patterns=[".*", "**/.*"],
            # An earlier release may have had files of other names: they must not stand under this one's card.
            delete_patterns=[f"{name}/*" for name in OURS],
            commit_message="A release of fieldsmith",
        )
    return address


@contextmanager
def _said_plainly(repo: str) -> Iterator[None]:
    """The hub's errors as sentences; none of them may show the token, so only their status is told."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except HFValidationError as error:
        raise UsageError(f"release.push_to: {repo!r} cannot be the name of a repository: write owner/name") from error
    except json.JSONDecodeError as error:
        raise FieldsmithError(
            f"what answers at {os.environ.get('HF_ENDPOINT', 'the hub')} is not a hub: check HF_ENDPOINT and proxies"
        ) from error
    except ValueError as error:
        if not str(error).startswith("Invalid metadata"):
            raise
        raise FieldsmithError(f"the hub does not take the card of {repo}: {' '.join(str(error).split())}") from error
    except OfflineModeIsEnabled as error:
        raise FieldsmithError(f"{repo} cannot be pushed to while HF_HUB_OFFLINE is set: unset it, or leave out release.push_to") from error
    except HfHubHTTPError as error:
        raise FieldsmithError(_refusal(repo, error.response.status_code)) from error
    except httpx.TransportError as error:
        raise FieldsmithError(
            f"the hub cannot be reached to push {repo} ({type(error).__name__}): push again when there is a connection"
        ) from error


def _refusal(repo: str, status: int) -> str:
    if status == 401:
        return f"the hub does not accept the token in {TOKEN}: make one that may write, and set {TOKEN} to it"
    if status == 403:
        return f"the token in {TOKEN} may not write to {repo}: give it that right, or push to a repository of its owner"
    if status == 404:
        return f"the hub knows no {repo}, or the owner of the token in {TOKEN} may not see it: check release.push_to"
    return f"the hub refused the push to {repo} with status {status}: try again, and see its status page if it stays so"

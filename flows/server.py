"""The Prefect server that a command talks to: the configured one, the one that runs here, or a new one that stays."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from filelock import FileLock
from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.settings import Settings, get_current_settings

from harvest.store import FieldsmithError

START_SECONDS = 180.0
ANSWER_SECONDS = 10.0


def ensure_server() -> str:
    """URL of an API that answers, which this process and its children use from now on.

    `PREFECT_API_URL` decides where it is set (environment, profile or prefect.toml). Otherwise it is the server on
    Prefect's port of this machine, started if there is none: never Prefect's temporary one, which would lose the run.
    Raises `FieldsmithError` where there is none to be had.
    """
    settings = get_current_settings()
    if settings.api.url:
        _require_answer(settings.api.url)
        return settings.api.url
    settings.home.mkdir(parents=True, exist_ok=True)
    url = f"{_site(settings)}{settings.server.api.base_path or '/api'}"
    with FileLock(settings.home / "fieldsmith-server.lock"):  # of two commands at once, one starts the server
        if not _is_ours(url, settings):
            _start(url, settings)
    os.environ["PREFECT_API_URL"] = url
    refresh_global_settings_context()
    return url


def _site(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.server.api.port}"


def _require_answer(url: str) -> None:
    with get_client(sync_client=True) as client:
        trouble = client.api_healthcheck()
    if trouble is not None:
        reason = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        raise FieldsmithError(
            f"PREFECT_API_URL is {url}, but no Prefect server answers there ({reason}); start it (prefect server start), "
            "or unset PREFECT_API_URL and this command starts one itself"
        )


def _is_ours(url: str, settings: Settings) -> bool:
    """Whether a server with our `PREFECT_HOME` answers; False if nothing listens, an error if something else does."""
    request = urllib.request.Request(f"{url}/admin/settings", headers=_authorization(settings))  # noqa: S310  (http, made above)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy is no way to this machine
    try:
        with direct.open(request, timeout=ANSWER_SECONDS) as answer:
            home = Path(json.load(answer)["home"])
    except urllib.error.HTTPError as error:
        raise _occupied(settings, f"something that answers {error.code} and is not a Prefect server that we may use") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return False
        raise _occupied(settings, f"something that does not answer as a Prefect server ({error.reason})") from error
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise _occupied(settings, "something that is not a Prefect server") from error
    if home.resolve() != settings.home.resolve():
        raise _occupied(settings, f"the Prefect server of another PREFECT_HOME ({home}; ours is {settings.home})")
    return True


def _authorization(settings: Settings) -> dict[str, str]:
    secret = settings.api.auth_string or settings.server.api.auth_string
    if secret is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(secret.get_secret_value().encode()).decode()}


def _occupied(settings: Settings, by: str) -> FieldsmithError:
    return FieldsmithError(
        f"port {settings.server.api.port} of this machine is taken by {by}: set PREFECT_SERVER_API_PORT to a free port, "
        "or PREFECT_API_URL to the server that you want to use"
    )


def _start(url: str, settings: Settings) -> None:
    """Start a server that outlives us and stops with `prefect server stop`; return when it answers."""
    log = settings.home / "fieldsmith-server.log"
    command = [sys.executable, "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(settings.server.api.port)]
    with log.open("ab") as sink:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    (settings.home / "server.pid").write_text(str(server.pid))
    print(
        f"Starting a Prefect server, which stays: {_site(settings)} (pid {server.pid}, log {log}; stop it: prefect server stop)", flush=True
    )
    deadline = time.monotonic() + START_SECONDS
    while not _is_ours(url, settings):
        if server.poll() is not None:
            raise FieldsmithError(f"the Prefect server ended with code {server.returncode} while it started; the reason is in {log}")
        if time.monotonic() > deadline:
            raise FieldsmithError(f"the Prefect server (pid {server.pid}) has not answered within {START_SECONDS:.0f} s; see {log}")
        time.sleep(0.2)

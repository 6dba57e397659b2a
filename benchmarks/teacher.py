"""How much of an endpoint's capacity the teacher's client uses, what that costs, and what it makes of faults and kills.

`python benchmarks/teacher.py --requests 10000 --concurrency 256 --latency 1 --slots 256`
    drives the real client (Teacher, Ledger, Budget; every reply on the disk) and its peers, one after the other, each in a process
    of its own, against `benchmarks/endpoint.py`, which it starts; with `--base-url URL` against any OpenAI-compatible server.
    Peers: the plain `openai` client, the same over aiohttp, and aiohttp without any client (the server's own ceiling).
`... --faults 0.4`
    the same client against an endpoint of which two requests in five go wrong, under a budget.
`... --kills 20`
    a process that asks is killed (-9) at random instants and started again: what was asked twice?

The share of capacity is replies per second over slots / latency; where only a base URL is given and neither `--latency` nor
`--slots`, it is left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from table import print_table
from teacher_kills import kept_keys, kill_and_count

HERE = Path(__file__).resolve().parent
PEERS = ("fieldsmith", "openai", "openai[aiohttp]", "aiohttp")


@contextmanager
def local_endpoint(*arguments: str) -> Iterator[str]:
    """`benchmarks/endpoint.py` in a process of its own; yields its base URL."""
    command = [sys.executable, str(HERE / "endpoint.py"), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().removeprefix("listening ").strip()
        finally:
            process.stdin.close()
            process.wait(10)


def stats(url: str) -> dict[str, Any]:
    """What our own endpoint counted."""
    with urlopen(url.removesuffix("/v1") + "/stats", timeout=30) as answer:  # noqa: S310 - our own server
        counted: dict[str, Any] = json.load(answer)
        return counted


def driven(peer: str, url: str, given: argparse.Namespace, *more: str) -> dict[str, Any]:
    """What one client measures of itself, in a fresh process."""
    command = [sys.executable, str(HERE / "teacher_client.py"), peer, "--base-url", url, "--model", given.model]
    command += ["--requests", str(given.requests), "--concurrency", str(given.concurrency), *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def compare(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Every client in turn; each meets a fresh endpoint where it is ours."""
    results = []
    for peer in given.peers.split(","):
        if given.base_url:
            results.append(driven(peer, given.base_url, given))
            continue
        with local_endpoint(*_endpoint_arguments(given)) as url:
            results.append(driven(peer, url, given))
            results[-1]["server_cpu"] = stats(url)["cpu_seconds"]
    return results


def show(results: Sequence[dict[str, Any]], given: argparse.Namespace) -> None:
    """The table."""
    capacity = given.slots / given.latency if given.latency and given.slots else 0.0
    heads = ["client", "requests/s", "share", "seconds", "errors", "CPU s per 1,000", "server's", "MB at 10 %", "MB at the end"]
    rows = [
        [
            one["client"],
            f"{one['rate']:.0f}",
            f"{one['rate'] / capacity:.3f}" if capacity else "",
            f"{one['seconds']:.1f}",
            str(one["errors"]),
            f"{one['cpu'] / given.requests * 1000:.2f}",
            f"{one.get('server_cpu', 0) / given.requests * 1000:.2f}" if "server_cpu" in one else "",
            f"{one['memory_early']:.0f}",
            f"{one['memory_end']:.0f}",
        ]
        for one in results
    ]
    print_table(heads, rows)


def faulty(given: argparse.Namespace) -> None:
    """Faults under a budget: is every request answered or a failure, and what does the endpoint count?"""
    with local_endpoint(*_endpoint_arguments(given)) as url:
        found = driven("fieldsmith", url, given, "--timeout", str(given.timeout), "--budget", str(given.budget))
        counted = stats(url)
    met = ", ".join(f"{count} {fault}" for fault, count in sorted(counted["faults"].items()))
    print(f"{given.requests} requests to an endpoint with {given.faults:.0%} faults: {counted['requests']} tries met {met}")
    print(f"  answered {found['answered']}, failures {found['errors']}, together {found['answered'] + found['errors']}")
    print(f"  {found['seconds']:.1f} s, {found['cpu'] / given.requests * 1000:.2f} CPU s per 1,000 requests")
    print(f"  the endpoint worked on {counted['worked']} calls and {counted['tokens']} tokens")
    print(
        f"  booked are {found['calls']} calls and {found['tokens']} tokens {_verdict(given, counted)}; {found['stopped'] or 'not stopped'}"
    )


def killed(given: argparse.Namespace) -> None:
    """Kills at random instants: what is asked twice may at most have been in flight."""
    with tempfile.TemporaryDirectory() as folder, local_endpoint(*_endpoint_arguments(given)) as url:
        arguments = ["--base-url", url, "--requests", str(given.requests), "--concurrency", str(given.concurrency)]
        arguments += ["--model", given.model, "--budget", str(given.budget)]
        each = given.requests // (given.kills + 1)
        met = kill_and_count(arguments, Path(folder), lambda: stats(url), kills=given.kills, each=each)
        counted, kept = stats(url), len(kept_keys(Path(folder)))
    under_way = [kill.asked - kill.kept for kill in met]
    print(f"{given.requests} requests, {len(met)} kills: {kept} replies kept, {counted['requests'] - counted['asked']} requests repeated")
    print(f"  under way at the kills: {under_way}, together {sum(under_way)}; at most {given.concurrency} are allowed")
    print(f"  of those the endpoint had not answered yet: {[kill.in_flight for kill in met]}")
    print(f"  the endpoint worked on {counted['worked']} calls {_verdict(given, counted)}")


def _verdict(given: argparse.Namespace, counted: dict[str, Any]) -> str:
    if not given.budget:
        return "(no budget)"
    return f"(budget of {given.budget} calls {'kept' if counted['worked'] <= given.budget else 'PASSED'})"


def _endpoint_arguments(given: argparse.Namespace) -> list[str]:
    wanted = {"latency": given.latency, "jitter": given.jitter, "slots": given.slots, "faults": given.faults, "kinds": given.kinds}
    return [text for name, value in wanted.items() if value is not None for text in (f"--{name}", str(value))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default="", help="an endpoint; none starts one of our own")
    parser.add_argument("--model", default="local")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--latency", type=float, help="seconds that the endpoint takes for a request")
    parser.add_argument("--jitter", type=float, help="share by which that varies, with our own endpoint")
    parser.add_argument("--slots", type=int, help="requests that the endpoint works on at once")
    parser.add_argument("--peers", default=",".join(PEERS), help="which clients, of " + ", ".join(PEERS))
    parser.add_argument("--faults", type=float, help="share of requests that go wrong, at our own endpoint")
    parser.add_argument("--kinds", help="of faults, comma separated; see endpoint.py")
    parser.add_argument("--kills", type=int, default=0, help="how often the asking process is killed")
    parser.add_argument("--budget", type=int, default=0, help="calls, with --faults and --kills")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds for a request, with --faults")
    parser.add_argument("--out", type=Path, help="write what was measured as JSON")
    given = parser.parse_args()
    if given.kills:
        killed(given)
    elif given.faults:
        faulty(given)
    else:
        results = compare(given)
        show(results, given)
        if given.out:
            given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

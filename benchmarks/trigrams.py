"""Make harvest/readers/trigrams.txt: how likely a letter is after two others, by script, from lists of words.

    python benchmarks/trigrams.py SCRIPT=FILE... > harvest/readers/trigrams.txt

A FILE is a JSON object of words and their counts (gzipped, as in the package pyspellchecker, MIT), a list of one word a line
(Debian's wpolish and others), or a Hunspell .dic beside its .aff. Of each list 60,000 words are taken: the most frequent ones with
the root of their count as weight, or any with equal weights. English (a file named en.…) counts four times, for most papers are
in it. Only the statistics of letters are kept, no words. The file in the repository was made of
latin: en de fr es it pt nl lv eu (pyspellchecker 0.9.1), polish swedish danish bokmaal (Debian's /usr/share/dict), cs hu ro tr vi
(Debian's hunspell); cyrillic: ru (pyspellchecker), ukrainian, bg; greek: el; arabic: ar fa (pyspellchecker).

A line of the result is `ab e,io,,u`: after "ab" the letter e has the level 0, i and o the level 1, u the level 3. A level is the
rounded negative logarithm (base 2) of a probability; what is rarer than level 9 is left out. A space is written `_`.
"""

from __future__ import annotations

import gzip
import json
import math
import random
import re
import sys
from collections import Counter
from pathlib import Path

from harvest.readers.quality import RAREST, plain_letters

WORDS = 60_000


def main() -> None:
    """Read the lists named on the command line and print the table."""
    scripts: dict[str, list[Counter[str]]] = {}
    for argument in sys.argv[1:]:
        script, _, name = argument.partition("=")
        scripts.setdefault(script, []).append(trigrams(words(Path(name)), 4.0 if Path(name).name.startswith("en.") else 1.0))
    for script, lists in scripts.items():
        total: Counter[str] = sum(lists, Counter())
        letters = Counter({letter: 0.0 for key in total for letter in key})
        for key, weight in total.items():
            letters[key[1]] += weight
        usual = {letter for letter, weight in letters.items() if weight > 2e-5 * letters.total()} | {" "}
        if script == "latin":
            usual &= set("abcdefghijklmnopqrstuvwxyz ")
        show(Counter({key: weight for key, weight in total.items() if set(key) <= usual}))


def words(path: Path) -> dict[str, float]:
    """Words of a list with their weights."""
    if path.suffix == ".gz":
        counts = json.loads(gzip.decompress(path.read_bytes()))
        return {word: counts[word] ** 0.5 for word in sorted(counts, key=counts.__getitem__, reverse=True)[:WORDS]}
    encoding = "utf-8"
    if path.suffix == ".dic":
        stated = re.search(rb"SET\s+(\S+)", path.with_suffix(".aff").read_bytes())
        encoding = stated[1].decode() if stated else encoding
    found = [word for line in path.read_text(encoding, errors="ignore").splitlines() if (word := line.strip().split("/")[0]).isalpha()]
    return dict.fromkeys(random.Random(1).sample(found, min(WORDS, len(found))), 1.0)  # noqa: S311


def trigrams(weights: dict[str, float], share: float) -> Counter[str]:
    """Three letters in a row and their weight, which is `share` in total."""
    counts: Counter[str] = Counter()
    for word, weight in weights.items():
        letters = f" {plain_letters(word)} "
        for place in range(len(letters) - 2):
            counts[letters[place : place + 3]] += weight  # type: ignore[assignment]
    total = counts.total()
    return Counter({key: share * weight / total for key, weight in counts.items()})


def show(counts: Counter[str]) -> None:
    """Print one line for each pair of letters."""
    pairs: Counter[str] = Counter()
    for key, weight in counts.items():
        pairs[key[:2]] += weight
    rows: dict[str, list[str]] = {pair: [""] * RAREST for pair in sorted(pairs)}
    for key in sorted(counts):
        level = round(-math.log2(counts[key] / pairs[key[:2]]))
        if level < RAREST:
            rows[key[:2]][level] += key[2]
    for pair, levels in rows.items():
        if any(levels):
            print(pair.replace(" ", "_"), ",".join(levels).rstrip(",").replace(" ", "_"))


if __name__ == "__main__":
    main()

"""An embedder is found by its name, gives rows of unit length, and says in one sentence what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harvest.embed import load_embedder
from harvest.store import FieldsmithError, UsageError
from qagen.curate.dedup import deduplicate
from qagen.records import QAPair

WORDS = ["what", "is", "the", "beam", "energy", "ring", "束", "流", "能", "量"]


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small static model, as model2vec writes it."""
    model2vec = pytest.importorskip("model2vec", reason="the extra `embed` is not installed")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import BertPreTokenizer

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, **{word: place + 1 for place, word in enumerate(WORDS)}}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = BertPreTokenizer()
    vectors = np.random.default_rng(0).normal(size=(len(WORDS) + 1, 8)).astype(np.float32)
    vectors[0] = 0
    folder = tmp_path_factory.mktemp("models") / "static"
    model2vec.StaticModel(vectors=vectors, tokenizer=tokenizer, normalize=False).save_pretrained(str(folder))
    return folder


def test_rows_are_of_unit_length_and_of_zeros_without_a_known_word(static: Path) -> None:
    embed = load_embedder(str(static))
    rows = embed(["what is the beam energy", "", "energy energy", "束 流"])
    assert rows.dtype == np.float32
    assert rows.shape == (4, 8)
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0, 1, 1], atol=1e-5)
    assert embed([]).shape == (0, 8)
    assert np.allclose(embed(["the ring"] * 5000), embed(["the ring"]), atol=1e-6)


def test_a_static_model_serves_deduplicate(static: Path) -> None:
    pairs = [
        QAPair(name, "d", "c", "fact", "en", question, "3 GeV", (), "", "", "CC0-1.0")
        for name, question in (("1", "what is the beam energy"), ("2", "the energy the beam is"), ("3", "what is the ring"))
    ]
    result = deduplicate(pairs, embed=load_embedder(str(static)))
    assert [item.pair.id for item in result.dropped] == ["2"]


def test_a_folder_in_a_package_is_found_without_importing_it(static: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "carried_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model").symlink_to(static)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="no folder in the package"):  # a link out of the package is not followed
        load_embedder("pkg:carried_model/model")
    (package / "model").unlink()
    static.rename(package / "model")
    try:
        assert load_embedder("pkg:carried_model/model")(["ring"]).shape == (1, 8)
    finally:
        (package / "model").rename(static)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pkg:no_such_package/model", "pip install no-such-package"),
        ("pkg:numpy/no_such_folder", "no folder in the package numpy"),
        ("pkg:numpy/../..", "no folder in the package numpy"),
        ("pkg:numpy", "write pkg:PACKAGE/FOLDER"),
        ("pkg:os.path/x", "write pkg:PACKAGE/FOLDER"),
        ("no/such/folder", "is no embedder"),
        ("", "is no embedder"),
        ("a\nb", "is no embedder"),
    ],
)
def test_a_name_that_is_none_is_told_in_one_sentence(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as told:
        load_embedder(name)
    assert told.value.exit_code == 2


def test_a_model_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    code = "from harvest.embed import load_embedder\nload_embedder('nobody/no-such-model')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"HF_HUB_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)},
    )
    assert "FieldsmithError: the embedder nobody/no-such-model is neither a folder here" in done.stderr


def test_a_folder_without_safe_weights_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(UsageError, match="safetensors"):
        load_embedder(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(FieldsmithError, match="is no JSON"):
        load_embedder(str(tmp_path))


def test_a_missing_library_is_named_with_its_extra(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "model2vec"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    code = (
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'model2vec' else find(name, *rest)\n"
        f"from harvest.embed import load_embedder\nload_embedder({str(tmp_path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install fieldsmith[embed]" in done.stderr

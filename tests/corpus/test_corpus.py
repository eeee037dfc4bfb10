"""Real programs print what they should, to the byte, compile nothing the second time, and give back all memory for
code."""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path

import pytest

import wasmetal
from wasmetal.code.arena import arena

# A module beside this one; tests are not a package.
_spec = importlib.util.spec_from_file_location("corpus", Path(__file__).with_name("corpus.py"))
assert _spec is not None and _spec.loader is not None
corpus = importlib.util.module_from_spec(_spec)
sys.modules["corpus"] = corpus
_spec.loader.exec_module(corpus)

FOLDERS = corpus.programs()


def check(folder: Path, engine: wasmetal.Engine) -> int:
    """Run a program and check it; the bytes of code memory that are in use meanwhile."""
    module = engine.compile(folder / "program.wasm")
    outcome = corpus.run(folder, module)
    assert outcome.code == 0
    for name in ("stdout", "stderr"):
        expected = folder / f"{name}.expected"
        # hashset prints how long it took.
        if expected.exists():
            assert getattr(outcome, name) == expected.read_bytes()
    return arena().bytes_in_use


@pytest.mark.skipif(not FOLDERS, reason=f"no corpus at {corpus.FOLDER} (WASMETAL_SHARED)")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_program(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = wasmetal.Engine(wasmetal.Config(cache=tmp_path))
    compiled = []
    backend = type(engine.backend)
    real = backend.compile

    def compile(self, function):
        compiled.append(function.name)
        return real(self, function)

    monkeypatch.setattr(backend, "compile", compile)
    check(folder, engine)
    assert compiled
    del compiled[:]
    gc.collect()
    # What is left belongs to the engine: the glue for the types of functions.
    before = arena().bytes_in_use
    # The module has gone, and its code was written to the cache.
    assert check(folder, engine) > before
    assert compiled == []
    gc.collect()
    assert arena().bytes_in_use == before


@pytest.mark.skipif(not FOLDERS, reason=f"no corpus at {corpus.FOLDER} (WASMETAL_SHARED)")
def test_the_corpus_is_complete():
    assert len(FOLDERS) == 22

"""Commands that show what a module is made of: features, code, places in its text, and the page of `explore`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs click")
pytest.importorskip("wasm_text", reason="the modules are text")

from wasm_core.decoder import decode
from wasm_text import assemble
from wasmetal.cli.needed_features import all_features, needed

TEXT = """(module
  (func $add (export "add") (param i32 i32) (result i32)
    (i32.add
      (local.get 0)
      (local.get 1)))
  (func (export "div") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.div_u)
)
"""
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.wat"
    path.write_text(TEXT)
    return str(path)


@pytest.mark.parametrize(
    ("module", "features"),
    [
        ("(func)", ()),
        ("(func (result i32 i32) i32.const 1 i32.const 2)", ("multi_value",)),
        ("(func (drop (i32.extend8_s (i32.const 1))))", ("sign_extension",)),
        ("(func (local v128))", ("simd",)),
        ("(func (drop (v128.const i64x2 0 0)))", ("simd",)),
        ("(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))", ("bulk_memory",)),
        ("(tag) (func (throw 0))", ("exceptions",)),
        ("(tag) (func try throw 0 catch_all end)", ("legacy_exceptions",)),
        ("(func (param externref))", ("reference_types",)),
        ("(func $f (return_call $f))", ("tail_calls",)),
        ("(memory 1) (memory 1)", ("multi_memory",)),
        ("(memory i64 1)", ("memory64",)),
        ("(memory 1 1 shared)", ("threads",)),
        ('(global (export "g") (mut i32) (i32.const 0))', ("mutable_globals",)),
        ("(global i32 (i32.add (i32.const 1) (i32.const 2)))", ("extended_const",)),
        ("(type (struct))", ("gc",)),
    ],
)
def test_features_that_are_needed(module, features):
    found = needed(decode(assemble(f"(module {module})"), all_features()))
    assert (found.features, found.unread) == (features, "")


def test_inspect_as_json(say, text):
    code, out, err = say("inspect", "--json", text)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["exports"][0] == {
        "name": "add",
        "kind": "function",
        "type": {"params": ["i32", "i32"], "results": ["i32"]},
    }
    assert found["biggest_functions"][0]["place"] == "2:4"
    assert found["features"] == [] and found["producers"] == {}


def test_bodies_that_are_damaged_can_be_inspected(say, tmp_path):
    binary = assemble("(module (func i32.extend8_s drop))")
    path = tmp_path / "damaged.wasm"
    path.write_bytes(binary.replace(b"\xc0", b"\xff"))
    code, out, _ = say("inspect", str(path))
    assert code == 0
    assert "not read for features: function 0, which is malformed" in out


def test_places_in_the_text(say, text):
    code, out, _ = say("ir", text, "add")
    assert code == 0 and re.search(r"iadd\.i32 v0, v1 +; 3:6\n", out)
    code, out, _ = say("disasm", text, "div")
    assert code == 0 and "; 9:5 i32.div_u" in out and "; wasm" not in out
    assert re.search(r"add +\d+ +2:4\n", say("inspect", text)[1])


@pytest.mark.parametrize(
    "command", [["compile"], ["compile", "-o", "OUT"], ["ir", "FILE", "0"], ["disasm"], ["explore"]]
)
def test_errors_in_the_text_have_a_place(say, tmp_path, command):
    path = tmp_path / "bad.wat"
    # (a mistake outside of functions: these are validated when they are shown)
    path.write_text('(module\n  (export "a" (func 3)))')
    words = [{"OUT": str(tmp_path / "out"), "FILE": str(path)}.get(word, word) for word in command]
    code, _, err = say(*words, *([] if "FILE" in command else [str(path)]))
    assert code == 1
    assert "bad.wat" in err and "unknown function" in err


def test_wrong_functions_have_a_place(say, tmp_path):
    path = tmp_path / "bad.wat"
    path.write_text("(module (func (result i32)\n  i64.const 1))")
    for command in (["compile"], ["ir"], ["disasm"]):
        code, _, err = say(*command, str(path), *(["0"] if command == ["ir"] else []))
        assert code == 1
        assert "bad.wat:2:14" in err


def test_all_functions_disassembled(say, text, tmp_path):
    code, out, _ = say("disasm", text)
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("function")] == [
        line for name in ("add", "div") for line in say("disasm", text, name)[1].splitlines()[:1]
    ]
    # One that cannot be compiled does not hide the others.
    path = tmp_path / "half.wat"
    path.write_text("(module (func (result i32) i64.const 1) (func nop))")
    code, out, err = say("disasm", str(path))
    assert code == 1
    assert "function 0 () -> (i32): no code" in out and "type mismatch" in err
    assert "function 1 () -> (): " in out


# The page of `explore`.


def pages(html: str) -> list[dict[str, object]]:
    found = re.findall(r'<script type="application/json" class="function">(.*?)</script>', html, re.DOTALL)
    return [json.loads(each) for each in found]


def test_what_a_page_has(say, text, tmp_path):
    code, out, err = say("explore", text)
    assert (code, err) == (0, "")
    add, div = pages(out)
    assert (add["index"], div["index"]) == (0, 1)
    offsets = [
        {line[at] for line in add[pane] for at in range(0, len(line), 2)} - {0} for pane in ("wasm", "ir", "code")
    ]
    # The sum is in all three panes.
    assert offsets[0] & offsets[1] & offsets[2]
    assert any("i32.add" in str(line) for line in add["wasm"])
    # Nothing comes from elsewhere.
    assert not re.search(r"https?://|src=|href=|url\(|@import", out)
    path = tmp_path / "page.html"
    code, nothing, err = say("explore", "-o", str(path), text, "div")
    assert (code, nothing) == (0, "") and "1 function for" in err
    assert [page["index"] for page in pages(path.read_text())] == [1]
    assert say("explore", text, "nothing")[0] == 1
    assert say("explore", "-o", str(tmp_path), text)[0] == 1


def test_what_a_module_says_stays_text(say, tmp_path):
    name = '</script><script>alert(1)</script><b>"&'
    path = tmp_path / "evil.wat"
    literal = name.replace('"', '\\"')
    path.write_text(f'(module (func (export "{literal}") (drop (i32.const 1))))')
    _, out, _ = say("explore", str(path))
    assert "<script>alert" not in out
    assert "alert(1)" in str(pages(out)[0]["title"])


def test_a_large_module(say, tmp_path, monkeypatch):
    from wasmetal.cli import explore

    monkeypatch.setattr(explore, "MOST_CODE", 100)
    path = tmp_path / "large.wat"
    path.write_text(f"(module {'(func (result i32) (i32.const 1))' * 50})")
    code, out, err = say("explore", str(path))
    assert code == 0
    count = len(pages(out))
    assert 10 < count < 50
    assert f"the first {count} of 50 functions" in err and f"the first {count} of 50 functions" in out
    # Those that are named are there however many.
    _, out, err = say("explore", str(path), "49", "0", "49")
    assert [page["index"] for page in pages(out)] == [49, 0] and err == ""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_in_a_browser(say, text, tmp_path):
    page = tmp_path / "page.html"
    assert say("explore", "-o", str(page), text)[0] == 0
    shot = tmp_path / "page.png"
    common = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*common, f"--screenshot={shot}", "--dump-dom", page.as_uri() + "#1"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    # What the script has made: the function of the address, in three panes, linked.
    dom = done.stdout.rpartition("<main>")[2].partition("</main>")[0]
    places = re.findall(r'data-o="(\d+)"', dom)
    assert places and all(places.count(place) > 1 for place in places)
    assert "i32.div_u" in dom and "div_u.i32" in dom
    assert shot.read_bytes().startswith(b"\x89PNG")

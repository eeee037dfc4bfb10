"""The cache of compiled code: hits, misses, and everything that may happen to its directory."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from systems import posix, windows

import wasmetal
from wasm_core.testing.patience import PATIENCE
from wasmetal import Config, Engine, InvalidError
from wasmetal.code import cache as code_cache
from wasmetal.code import fingerprint
from wasmetal.code.cache import CacheEntry, CodeCache, default_directory
from wasmetal.compiled.compiled_module import CompiledModule
from wasmetal.glue import prebuilt
from wasmetal.glue.thunks import Thunks
from wasmetal.store import shared_glue


@pytest.fixture(autouse=True)
def nothing_prebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ready-made thunks the cache keeps none."""
    monkeypatch.setattr(prebuilt, "folder", None)


@pytest.fixture
def program(wasm) -> bytes:
    """Functions that call one another, refer to one another, trap, and are called by name."""
    builder = wasm()
    op = wasm.op
    memory = builder.memory(1)
    assert memory == 0
    # (with a loop that does nothing, so that it is called, and not inlined)
    add = builder.func("ii", "i", b"\x03\x40\x0b" + op.get(0) + op.get(1) + op.I32_ADD, export="add")
    double = builder.func("i", "i", op.get(0) + op.get(0) + op.call(add), export="double")
    builder.func("i", "i", op.get(0) + op.call(double) + op.call(double), export="quadruple")
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    return builder.build()


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Indices of functions that are compiled."""
    found: list[int] = []
    real = CompiledModule.assemble

    def assemble(self: CompiledModule, index: int) -> object:
        found.append(index)
        return real(self, index)

    monkeypatch.setattr(CompiledModule, "assemble", assemble)
    return found


@pytest.fixture
def run(program: bytes, tmp_path: Path) -> Callable[..., object]:
    """Calls a function in a new engine, and lets the cache be written as at the end of a program."""

    def run(name: str = "quadruple", *, cache: object = tmp_path / "cache", **config: object) -> object:
        module = Engine(Config(cache=cache, **config)).compile(program)
        result = module.instantiate().exports[name](5)
        module.code.save()
        return result

    return run


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.wmc"))


def module_file(directory: Path) -> Path:
    """The one file that is not that of thunks."""
    return min(files(directory), key=lambda path: path.stat().st_size)


def test_second_run_compiles_nothing(run, compiled: list[int]) -> None:
    assert run() == 20
    assert compiled == [2, 1, 0]
    del compiled[:]
    assert run() == 20
    assert compiled == []


def test_cache_grows(run, compiled: list[int]) -> None:
    assert run("double") == 10
    assert compiled == [1, 0]
    assert run("quadruple") == 20
    assert compiled == [1, 0, 2]
    assert run("load") == 0
    assert compiled == [1, 0, 2, 3]
    for name in ("double", "quadruple", "load"):
        run(name)
    assert compiled == [1, 0, 2, 3]


def test_written_when_the_module_goes(program: bytes, tmp_path: Path, compiled: list[int]) -> None:
    for _ in range(2):
        instance = Engine(Config(cache=tmp_path)).compile(program).instantiate()
        assert instance.exports.double(4) == 8
        del instance
        gc.collect()
    assert compiled == [1, 0]


def test_no_cache_no_files(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[int]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for cache in (None, False):
        assert run(cache=cache) == 20
    assert list(tmp_path.iterdir()) == []
    assert len(compiled) == 6
    assert run(cache=True) == 20
    assert module_file(tmp_path / "wasmetal")


@pytest.mark.skipif(not windows, reason="on other systems it is elsewhere")
def test_default_directory_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("LOCALAPPDATA", "C:\\local")
    assert default_directory() == "C:\\local\\wasmetal\\Cache"
    monkeypatch.delenv("LOCALAPPDATA")
    assert default_directory() == os.path.expanduser("~\\AppData\\Local\\wasmetal\\Cache")


@posix
def test_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/where")
    assert default_directory() == "/some/where/wasmetal"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored (XDG Base Directory Specification)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == str(tmp_path / ".cache/wasmetal")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # neither HOME nor an entry in the password file
    assert default_directory() == f"/tmp/wasmetal-{os.geteuid()}"


@posix
def test_private(run, tmp_path: Path) -> None:
    run()
    directory = tmp_path / "cache"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in directory.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"bounds_checks": "explicit"},
        {"features": wasmetal.Features(multi_value=True, mutable_globals=False)},
    ],
)
def test_other_configurations(run, compiled: list[int], change: dict) -> None:
    run()
    del compiled[:]
    run(**change)
    assert compiled == [2, 1, 0]
    run(**change)
    assert compiled == [2, 1, 0]


def test_configurations_that_do_not_matter(run, compiled: list[int]) -> None:
    run()
    del compiled[:]
    assert run(validation="lazy", hold_gil=True, max_memory_pages=10, max_stack_bytes=1 << 20) == 20
    assert compiled == []
    run(compile="eager")
    assert compiled == [3]


def test_other_software(run, compiled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(fingerprint, "of_compiler", lambda backend: b"another version")
    run()
    assert compiled == [2, 1, 0] * 2


def test_other_processor(program: bytes, tmp_path: Path, compiled: list[int]) -> None:
    for features in (("bmi1", "sse4_1"), ("sse4_1",), ("sse4_1",)):
        machine = Engine(Config(cache=tmp_path))
        # Whatever it makes of them: arm64 has no optional features.
        backend = type(machine.backend)(())
        backend.cpu_features = features
        machine._backend = backend
        module = machine.compile(program)
        assert module.instantiate().exports.double(1) == 2
        module.code.save()
    assert compiled == [1, 0] * 2


def test_other_module(wasm, run, tmp_path: Path, compiled: list[int]) -> None:
    run()
    builder = wasm()
    builder.func("i", "i", wasm.op.get(0), export="quadruple")
    module = Engine(Config(cache=tmp_path / "cache")).compile(builder.build())
    assert module.instantiate().exports.quadruple(5) == 5
    assert compiled == [2, 1, 0, 0]


def test_validation_is_remembered(run, monkeypatch: pytest.MonkeyPatch) -> None:
    validated = []
    real = CompiledModule.validate_all
    monkeypatch.setattr(CompiledModule, "validate_all", lambda self: (validated.append(1), real(self))[1])
    run("load")
    run("load")
    assert validated == [1]


def test_what_was_not_validated_is(wasm, tmp_path: Path) -> None:
    builder = wasm()
    builder.func("", "i", b"", export="bad")
    builder.func("", "i", wasm.op.i32(1), export="good")
    source = builder.build()
    for _ in range(2):
        module = Engine(Config(cache=tmp_path, validation="lazy")).compile(source)
        assert module.instantiate().exports.good() == 1
        module.code.save()
        with pytest.raises(InvalidError):
            Engine(Config(cache=tmp_path)).compile(source)
        with pytest.raises(InvalidError):
            module.instantiate().exports.bad()


def test_traps_know_their_place(run, program: bytes, tmp_path: Path, compiled: list[int]) -> None:
    places = []
    for _ in range(2):
        module = Engine(Config(cache=tmp_path)).compile(program)
        with pytest.raises(wasmetal.Trap) as caught:
            module.instantiate().exports.load(-1)
        places.append([(frame.function_index, frame.module_offset) for frame in caught.value.frames])
        module.code.save()
    assert compiled == [3]
    assert places[0] == places[1] and places[0][0][1] is not None


def test_funcrefs_and_tables(wasm, tmp_path: Path, compiled: list[int]) -> None:
    builder = wasm()
    op = wasm.op
    one = builder.func("i", "i", op.get(0) + op.i32(1) + op.I32_ADD)
    table = builder.table("r", 1)
    assert table == 0
    builder.elements(op.i32(0), [one])
    builder.func("i", "i", op.get(0) + op.i32(0) + op.call_indirect(builder.type("i", "i")), export="call")
    source = builder.build()
    for _ in range(2):
        module = Engine(Config(cache=tmp_path)).compile(source)
        assert module.instantiate().exports.call(4) == 5
        module.code.save()
    assert sorted(compiled) == [0, 1]


def test_modules_with_listeners(program: bytes, tmp_path: Path, compiled: list[int]) -> None:
    class Listener:
        def __init__(self) -> None:
            self.seen: list[object] = []

        def before(self, definition, params) -> None:
            self.seen.append((definition.index, params))

        def after(self, definition, results) -> None:
            self.seen.append((definition.index, results))

    seen = []
    for _ in range(2):
        listener = Listener()
        module = Engine(Config(cache=tmp_path)).compile(program, listener=listener)
        module.instantiate().exports.add(1, 2)
        module.code.save()
        seen.append(listener.seen)
    assert compiled == [0]
    assert seen[0] == seen[1] == [(0, (1, 2)), (0, (3,))]


def test_pickling(program: bytes, tmp_path: Path, compiled: list[int]) -> None:
    module = Engine(Config(cache=tmp_path)).compile(program)
    assert module.instantiate().exports.double(2) == 4
    module.code.save()
    again = pickle.loads(pickle.dumps(module))
    assert again.engine.config.cache == tmp_path
    assert again.instantiate().exports.double(2) == 4
    assert compiled == [1, 0]


def test_large_files_are_taken_piece_by_piece(run, compiled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_cache.CodeFile, "is_small", False)
    run("double")
    del compiled[:]
    run("double")
    assert compiled == []
    run("quadruple")
    assert compiled == [2]


# Damage.


def test_damage_anywhere_is_never_executed(run, tmp_path: Path, compiled: list[int]) -> None:
    run()
    path = module_file(tmp_path / "cache")
    good = path.read_bytes()
    for position in range(0, len(good), max(1, len(good) // 60)):
        damaged = bytearray(good)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        del compiled[:]
        assert run() == 20
        assert compiled, position
        # It was put right.
        del compiled[:]
        assert run() == 20
        assert compiled == []


@pytest.mark.parametrize("content", [b"", b"rubbish" * 100, b"\0metal\x01\n", b"\0" * 5000])
def test_not_a_cache_file(run, tmp_path: Path, compiled: list[int], content: bytes) -> None:
    run()
    for path in files(tmp_path / "cache"):
        path.write_bytes(content)
    assert run() == 20
    assert len(compiled) == 6
    assert run() == 20
    assert len(compiled) == 6


def test_damaged_thunks(run, tmp_path: Path) -> None:
    run()
    path = max(files(tmp_path / "cache"), key=lambda path: path.stat().st_size)
    good = path.read_bytes()
    for position in range(0, len(good), len(good) // 20):
        damaged = bytearray(good)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        shared_glue._glues.clear()
        assert run() == 20


@posix
def test_file_that_others_can_write_is_replaced(run, tmp_path: Path, compiled: list[int]) -> None:
    run()
    path = module_file(tmp_path / "cache")
    path.chmod(0o666)
    assert run() == 20
    assert len(compiled) == 6
    assert path.stat().st_mode & 0o777 == 0o600
    run()
    assert len(compiled) == 6


@posix
@pytest.mark.parametrize("kind", ["symbolic link", "fifo", "directory"])
def test_what_is_no_file_is_not_read(run, tmp_path: Path, compiled: list[int], kind: str) -> None:
    run()
    path = module_file(tmp_path / "cache")
    elsewhere = path.rename(tmp_path / "elsewhere")
    before = elsewhere.read_bytes()
    if kind == "symbolic link":
        path.symlink_to(elsewhere)
    elif kind == "fifo":
        os.mkfifo(path, 0o600)
    else:
        path.mkdir(0o700)
    assert run() == 20
    assert len(compiled) == 6
    assert elsewhere.read_bytes() == before
    if kind != "directory":
        # It was replaced, not written to.
        assert stat.S_ISREG(path.lstat().st_mode)
        assert run() == 20
        assert len(compiled) == 6


@pytest.mark.skipif(windows or os.geteuid() != 0, reason="only root gives files away")
def test_file_of_another_user_is_replaced(run, tmp_path: Path, compiled: list[int]) -> None:
    run()
    path = module_file(tmp_path / "cache")
    os.chown(path, 12345, 12345)
    assert run() == 20
    assert len(compiled) == 6
    assert path.stat().st_uid == os.geteuid()


@pytest.mark.skipif(windows or os.geteuid() != 0, reason="only root gives files away")
def test_directory_of_another_user_is_not_used(run, tmp_path: Path, compiled: list[int]) -> None:
    run()
    os.chown(tmp_path / "cache", 12345, 12345)
    assert run() == 20
    assert len(compiled) == 6


def test_truncated_anywhere(run, tmp_path: Path, compiled: list[int]) -> None:
    run()
    path = module_file(tmp_path / "cache")
    good = path.read_bytes()
    for size in range(0, len(good), max(1, len(good) // 30)):
        path.write_bytes(good[:size])
        del compiled[:]
        assert run() == 20
        assert compiled == [2, 1, 0]


@posix
def test_directory_that_others_can_write_is_not_used(run, tmp_path: Path, compiled: list[int]) -> None:
    directory = tmp_path / "cache"
    run()
    directory.chmod(0o777)
    assert CodeCache(directory, 1).refusal() == "others can write to it"
    before = module_file(directory).read_bytes()
    assert run() == run("load") + 20
    assert len(compiled) == 7
    assert module_file(directory).read_bytes() == before


@posix
@pytest.mark.parametrize("kind", ["file", "no permission", "missing parent that is a file"])
def test_directory_that_cannot_be_used(run, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind == "no permission":
        place.mkdir(mode=0o500)
    else:
        place.write_text("")
    cache = place / "below" if kind.startswith("missing") else place
    for _ in range(2):
        assert run(cache=cache) == 20


def test_full_disk(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiled: list[int]) -> None:
    def write(fd: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(code_cache.os, "write", write)
        assert run() == 20
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]
    assert run() == 20
    assert len(compiled) == 6


# Eviction.


def fill(cache: CodeCache, number: int, size: int = 1000) -> str:
    identity = number.to_bytes(32, "big")
    entry = cache.entry(identity)
    entry.put(1, bytes(size))
    assert entry.save()
    return cache.path_of(identity)


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, 100_000)
    paths = [fill(cache, number) for number in range(8)]
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (time.time() - 100 - age,) * 2)
    # The oldest is used again.
    assert cache.entry((0).to_bytes(32, "big")).get(1) == bytes(1000)
    cache.limit = 8 * 1000
    new = fill(cache, 99)
    left = {path for path in [*paths, new] if os.path.exists(path)}
    assert {paths[0], new} <= left
    assert paths[1] not in left and paths[2] not in left
    assert cache.state().size <= cache.limit
    assert cache.state().entries == len(left)


def test_one_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, 5000)
    fill(cache, 1)
    path = fill(cache, 2, 10_000)
    assert not os.path.exists(path)
    assert cache.state().size <= 5000


def test_temporary_files_that_were_left_behind(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, 1 << 20)
    fill(cache, 1)
    old, new = tmp_path / "x.tmp", tmp_path / "y.tmp"
    for path in (old, new):
        path.write_bytes(b"")
    os.utime(old, (1, 1))
    fill(cache, 2)
    assert not old.exists() and new.exists()
    assert cache.clear() == 2
    assert cache.state().entries == 0


# Several writers.


def test_two_writers_are_merged(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, 1 << 20)
    identity = bytes(32)
    first, second = cache.entry(identity), cache.entry(identity)
    first.put(1, b"one")
    second.put(2, b"two")
    first.learn(1)
    second.learn(2)
    assert first.save() and second.save()
    third = cache.entry(identity)
    assert (third.get(1), third.get(2), third.flags) == (b"one", b"two", 3)


def test_a_writer_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_cache, "_PATIENCE", 0.05)
    cache = CodeCache(tmp_path, 1 << 20)
    fill(cache, 1)
    with cache._locked():
        path = fill(cache, 2)
    assert os.path.exists(path)


def test_saved_now_and_then(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, 1 << 20)
    entry = cache.entry(bytes(32))
    entry.put(1, b"one", 1.5)
    assert cache.state().entries == 0
    entry.put(2, b"two", 1.0)
    assert cache.entry(bytes(32)).get(2) == b"two"
    # The more there is, the more has to be new before all of it is written again.
    saves = []
    real = entry.save

    def save() -> bool:
        saves.append(entry._seconds)
        return real()

    entry.save = save  # type: ignore[method-assign]
    for number in range(200):
        entry.put(number, b"", 0.5)
    assert 5 < len(saves) < 20


def test_entry_without_a_cache() -> None:
    entry = CacheEntry(None, b"")
    entry.put(1, b"one", 100.0)
    assert not entry.writes and not entry.save() and entry.get(1) is None and entry.found() == []


_WRITER = """
import sys, os
from wasmetal.code.cache import CodeCache
cache = CodeCache(sys.argv[1], 1 << 30)
number = int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for round in range(12):
    entry = cache.entry(bytes(32))
    entry.put(100 * number + round, bytes([number]) * 20000)
    entry.save()
"""


def test_concurrent_processes(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for number in range(8)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.close()
    for writer in writers:
        assert writer.wait(PATIENCE) == 0
        assert writer.stdout is not None
        writer.stdout.close()
    entry = CodeCache(tmp_path, 1 << 30).entry(bytes(32))
    expected = {100 * number + round for number in range(8) for round in range(12)}
    assert set(entry.found()) <= expected
    assert len(entry.found()) > 12  # all, unless somebody lost patience on a slow machine
    assert all(entry.get(key) == bytes([key // 100]) * 20000 for key in entry.found())
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".wmc"]


_RUNNER = """
import sys
import wasmetal
from wasmetal.compiled.compiled_module import CompiledModule
compiled = []
assemble = CompiledModule.assemble
CompiledModule.assemble = lambda self, index: compiled.append(index) or assemble(self, index)
sys.stdin.readline()
module = wasmetal.Engine(wasmetal.Config(cache=sys.argv[1])).compile(sys.argv[2])
print(module.instantiate().exports.quadruple(5), len(compiled))
"""


def test_eight_programs_at_once(program: bytes, tmp_path: Path) -> None:
    (tmp_path / "program.wasm").write_bytes(program)

    def run(count: int) -> list[list[str]]:
        command = [sys.executable, "-c", _RUNNER, str(tmp_path / "cache"), str(tmp_path / "program.wasm")]
        started = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        for runner in started:
            assert runner.stdin is not None
            runner.stdin.write("\n")
            runner.stdin.flush()
        results = [runner.communicate(timeout=5 * PATIENCE)[0].split() for runner in started]
        assert all(runner.returncode == 0 for runner in started)
        return results

    assert [result for result, _ in run(8)] == ["20"] * 8
    assert run(1) == [["20", "0"]]
    assert not list((tmp_path / "cache").glob("*.tmp"))


_ENDLESS_WRITER = """
import sys
from wasmetal.code.cache import CodeCache
cache = CodeCache(sys.argv[1], 1 << 30)
print("ready", flush=True)
for round in range(10**9):
    entry = cache.entry(bytes(32))
    entry.put(round % 50, bytes([round % 50]) * 50000)
    entry.save()
"""


@posix
def test_kill_while_writing(tmp_path: Path) -> None:
    for attempt in range(3):
        writer = subprocess.Popen([sys.executable, "-c", _ENDLESS_WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.03 + 0.02 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait(PATIENCE)
        writer.stdout.close()
        entry = CodeCache(tmp_path, 1 << 30).entry(bytes(32))
        assert all(entry.get(key) == bytes([key]) * 50000 for key in entry.found())


# Thunks.


@pytest.fixture
def new_glue() -> Iterator[None]:
    """Glue that has made nothing yet."""
    shared_glue._glues.clear()
    yield
    shared_glue._glues.clear()


def test_thunks_are_kept(run, monkeypatch: pytest.MonkeyPatch, new_glue: None) -> None:
    built: list[str] = []
    real = Thunks.code

    def code(self: Thunks, name: str, build) -> bytes:
        return real(self, name, lambda: (built.append(name), build())[1])

    monkeypatch.setattr(Thunks, "code", code)
    assert run("load") == 0
    assert "entry (i32) -> (i32)" in built and "fail" in built
    gc.collect()
    for glue in list(shared_glue._glues.values()):
        glue._thunks._entry.save()
    shared_glue._glues.clear()
    del built[:]
    assert run("load") == 0
    assert built == []


def test_thunks_name_all_their_symbols(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_glue: None) -> None:
    unnamed: list[list[int]] = []
    real = Thunks._names

    def names(self: Thunks, symbols: list[int]) -> list[str] | None:
        found = real(self, symbols)
        if found is None:
            unnamed.append(symbols)
        return found

    monkeypatch.setattr(Thunks, "_names", names)
    machine = Engine(Config(cache=tmp_path))
    for params in ([], ["i32"], ["i64", "f32"], ["f64", "i32", "i64"], ["externref"], ["funcref", "i32"]):
        for results in ([], ["i32"], ["f32", "i64"]):
            func_type = wasmetal.FuncType(params, results)
            machine.glue.entry(func_type)
            machine.glue.host(func_type)
            machine.glue.host_generic(func_type)
            machine.glue.raw(func_type)
    for name in ("builtin", "resolver", "interrupted", "slow_entry"):
        assert getattr(machine.glue, name)
    assert unnamed == []


def test_a_backend_without_symbols(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_glue: None, compiled: list[int]
) -> None:
    monkeypatch.setattr(type(Engine().backend), "symbols", False)
    shared_glue._glues.clear()
    for _ in range(2):
        assert run() == 20
    assert compiled == [2, 1, 0]
    assert len(files(tmp_path / "cache")) == 1


_SUSPENDED = """
import asyncio, sys, wasmetal
async def wait(x):
    await asyncio.sleep(0)
    return x + 1
module = wasmetal.Engine(wasmetal.Config(cache=sys.argv[1])).compile(sys.argv[2])
print(asyncio.run(module.instantiate({"e": {"wait": wait}}).exports.call.call_async(4)))
"""


def test_calls_that_are_suspended(wasm, tmp_path: Path) -> None:
    """A function that a thunk calls must be ready when the thunk is not built but found."""
    builder = wasm()
    builder.import_func("e", "wait", "i", "i")
    builder.func("i", "i", wasm.op.get(0) + wasm.op.call(0), export="call")
    path = tmp_path / "program.wasm"
    path.write_bytes(builder.build())
    code = f"from wasmetal.glue import prebuilt; prebuilt.folder = None; {_SUSPENDED}"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "cache", path], capture_output=True, timeout=60)
        assert (done.returncode, done.stdout.split()) == (0, [b"5"]), done.stderr.decode()

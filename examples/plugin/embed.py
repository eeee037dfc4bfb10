"""Embed a module: pass bytes through its memory, let it call a Python function, catch its traps."""

from __future__ import annotations

import zlib
from pathlib import Path

import wasmetal


def main() -> None:
    found: list[str] = []

    # The first parameter asks for the calling instance; the others come from WebAssembly.
    def on_word(caller: wasmetal.Caller, start: int, length: int) -> None:
        found.append(caller.memory.read(start, length).decode())

    module = wasmetal.Module(Path(__file__).with_name("plugin.wasm"))
    plugin = module.instantiate({"env": {"on_word": on_word}}).exports

    text = b"the quick brown fox jumps over the lazy dog"
    address = plugin.allocate(len(text))
    plugin.memory[address : address + len(text)] = text

    # Results are signed, as i32 is.
    crc = plugin.crc32(address, len(text)) & 0xFFFFFFFF
    print(f"crc32: {crc:08x}, zlib says {zlib.crc32(text):08x}")

    print(f"{plugin.words(address, len(text))} words: {found}")

    for name, args in (("divide", (1, 0)), ("allocate", (1 << 20,)), ("crc32", (-1, 16))):
        try:
            plugin[name](*args)
        except wasmetal.Trap as trap:
            print(f"{name}{args} trapped: {trap}")

    # The instance is none the worse for it.
    print(f"7 / 2 = {plugin.divide(7, 2)}")


if __name__ == "__main__":
    main()

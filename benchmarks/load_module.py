"""Loads a module and calls `main`, as a fresh process: started by the section `large_module`, never imported.

Arguments: the file, the engine, and its settings as JSON. Writes the time in seconds and the peak of memory in MB.
"""

from __future__ import annotations

import json
import resource
import sys
from time import perf_counter

path, engine_name, encoded = sys.argv[1:]
settings = json.loads(encoded)
started = perf_counter()
if engine_name == "wasmetal":
    import wasmetal

    instance = wasmetal.Engine(wasmetal.Config(**settings)).compile(path).instantiate()
    result = instance.exports["main"](1, 2)
else:
    import wasmtime

    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, path)
    result = wasmtime.Instance(store, module, []).exports(store)["main"](store, 1, 2)  # type: ignore[operator]
seconds = perf_counter() - started
if result != 3:
    sys.exit(f"wrong result: {result!r}")
# Linux counts in KiB (getrusage(2)).
print(json.dumps({"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}))

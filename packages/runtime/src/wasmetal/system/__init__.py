"""What depends on the operating system: address space, protection of pages, signal actions, threads.

Imports nothing of wasmetal but this room: a port starts here, and no other room of the runtime asks the system
itself. (What WASI programs ask of it is in `wasm_wasi.host`, the layout of a signal frame in each backend's `signals`.)
"""

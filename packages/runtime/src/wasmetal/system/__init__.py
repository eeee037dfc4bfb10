"""What depends on the operating system: address space, protection of pages, signal actions, threads.

Imports nothing of wasmetal but this room: a port starts here, and no other room asks the system itself.
"""

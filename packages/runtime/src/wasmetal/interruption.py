"""Ending calls from outside: deadlines, and what host functions that take long call to notice that one has passed."""

from __future__ import annotations

from wasmetal.store.interruption import DeadlineExceeded, check, deadline, poll, remaining, sleep, wait

__all__ = ["DeadlineExceeded", "check", "deadline", "poll", "remaining", "sleep", "wait"]

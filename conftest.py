"""What all tests of the repository take for granted."""

from __future__ import annotations

import signal

# Shells start programs in the background with Ctrl-C ignored, which they and their children inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

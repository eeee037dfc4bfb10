"""What every backend must do, done by this one."""

from toy_backend import ToyBackend

from wasm_ir.testing.suite import BackendTests


class TestToy(BackendTests):
    backend_class = ToyBackend

"""What every backend must do, done by this one."""

from wasm_backend_amd64 import Amd64Backend
from wasm_ir.testing.suite import BackendTests


class TestAmd64(BackendTests):
    backend_class = Amd64Backend

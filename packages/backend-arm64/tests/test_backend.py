"""What every backend must do, done by this one."""

from wasm_backend_arm64 import Arm64Backend
from wasm_ir.testing.suite import BackendTests


class TestArm64(BackendTests):
    backend_class = Arm64Backend

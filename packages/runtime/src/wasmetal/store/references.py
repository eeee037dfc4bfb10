"""What native addresses stand for: VMContexts to instances, funcrefs to functions, StoreContexts to stores.

Everything is held weakly: who owns a structure keeps it alive, and its address leads nowhere once it is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from wasm_core.errors import WasmError
from wasmetal.function import Func

if TYPE_CHECKING:
    from wasmetal.store.instance_core import InstanceCore
    from wasmetal.store.store import Store

#: Address of a VMContext -> instance.
instances: WeakValueDictionary[int, InstanceCore] = WeakValueDictionary()
#: Address of a StoreContext -> store.
stores: WeakValueDictionary[int, Store] = WeakValueDictionary()
#: Address of a FUNCREF of an instance -> the function that Python sees: the same one as long as it is alive.
functions: WeakValueDictionary[int, Func] = WeakValueDictionary()


def instance_at(context: int) -> InstanceCore:
    """The instance whose VMContext is at `context`.

    Raises:
        WasmError: It is being destroyed (a finalizer in the same garbage calls it).
    """
    instance = instances.get(context)
    if instance is None:
        raise WasmError("the instance is being destroyed")
    return instance

"""`attrs.frozen`, put off: attrs generates a class's methods when the first of them is used.

attrs writes and compiles source code for each class that it decorates, and its own import takes as long as that of all
the rest of a program that finds its code in the cache. Such a program makes descriptions (types, a configuration, the
module model), reads their attributes and looks things up by them. So that much works at once here, and everything else
brings in attrs: from then on the class has the very methods that attrs makes.

Type checkers see attrs alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from attrs import AttrsInstance
    from attrs import field as field
    from attrs import frozen as frozen
else:
    _REQUIRED = object()

    def field(**options):
        """As `attrs.field`, for what the decorator below knows: default, factory, converter, kw_only, eq, repr."""
        return _Field(options)

    def frozen(cls=None, /, **options):
        """As `attrs.frozen`, for a class without bases."""
        if cls is None:
            return lambda cls: frozen(cls, **options)
        return _Pending(cls, options).cls

    class _Field:
        """The options of a field, before attrs sees them."""

        __slots__ = ("options",)

        def __init__(self, options):
            self.options = options

    class _Pending:
        """A class that attrs has not worked on yet.

        `cls` is the class that programs see, `_original` the one that was decorated: attrs makes its own class out of
        that, whose methods are then moved to `cls`.
        """

        #: What the class has for the time being, if the option that goes with it is not off.
        _METHODS = (
            ("__init__", None),
            ("__repr__", "repr"),
            ("__setattr__", None),
            ("__delattr__", None),
            ("__getstate__", None),
            ("__setstate__", None),
            ("__attrs_attrs__", None),
        )

        def __init__(self, original, options):
            self._original = original
            self._options = options
            names = [name for name, text in original.__annotations__.items() if not text.startswith("ClassVar")]
            namespace = dict(vars(original))
            fields = {}
            for name in names:
                default = namespace.pop(name, _REQUIRED)
                fields[name] = default.options if isinstance(default, _Field) else {"default": default}
            if options.get("eq", True):
                namespace |= {"__eq__": _equal, "__hash__": _hash}
            self._own_names = namespace.keys() | names | {"__slots__", "__weakref__"}
            for leftover in ("__dict__", "__weakref__"):
                namespace.pop(leftover, None)
            all_by_keyword = options.get("kw_only", False)
            keyword = [name for name in names if all_by_keyword or fields[name].get("kw_only", False)]
            positional = tuple([name for name in names if name not in keyword])
            for name, option in self._METHODS:
                if name not in namespace and (option is None or options.get(option, True)):
                    namespace[name] = _Deferred(self, name)
            namespace["__init__"] = _Initializer(self, "__init__")
            namespace["__slots__"] = (*names, "__weakref__")
            namespace["__match_args__"] = positional
            cls = self.cls = type(original.__name__, (), namespace)
            self._positional = len(positional)
            self._rows = [
                (
                    name,
                    vars(cls)[name].__set__,
                    fields[name].get("default", _REQUIRED),
                    fields[name].get("factory"),
                    fields[name].get("converter"),
                )
                for name in [*positional, *keyword]
            ]
            self._finish = namespace.get("__attrs_post_init__")

        def initialize(self, instance, *args, **kwargs):
            """What the generated `__init__` does."""
            unused = len(kwargs)
            given = len(args)
            if given <= self._positional:
                number = 0
                for name, put, value, factory, converter in self._rows:
                    if number < given:
                        value = args[number]
                        number += 1
                    elif name in kwargs:
                        value = kwargs[name]
                        unused -= 1
                    elif factory is not None:
                        value = factory()
                    elif value is _REQUIRED:
                        break
                    put(instance, value if converter is None else converter(value))
                else:
                    if unused == 0:
                        if self._finish is not None:
                            self._finish(instance)
                        return
            # Wrong arguments: the generated one raises the error.
            self.complete()
            self.cls.__init__(instance, *args, **kwargs)

        def complete(self):
            """Let attrs make the methods.

            Several threads may come here at a time, and a signal handler in the middle of it. So attrs gets a class of
            its own each time; the methods are the same, and do not mind which of the others are there already.
            """
            import attrs

            original = self._original
            namespace = {"__qualname__": original.__qualname__}
            for name, value in list(vars(original).items()):
                if name not in ("__dict__", "__weakref__"):
                    namespace[name] = attrs.field(**value.options) if isinstance(value, _Field) else value
            made = attrs.frozen(type(original.__name__, (), namespace), **self._options)
            for name, value in vars(made).items():
                if name not in self._own_names:
                    setattr(self.cls, name, value)

    def _equal(self, other):
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def _hash(self):
        return hash(values(self))

    class _Deferred:
        """A method or attribute that attrs will make."""

        __slots__ = ("_name", "_pending")

        def __init__(self, pending, name):
            self._pending = pending
            self._name = name

        def __get__(self, instance, owner):
            self._pending.complete()
            # By way of the class: an attribute of the instance could not stand for a special method.
            found = vars(self._pending.cls)[self._name]
            return found.__get__(instance, owner) if hasattr(found, "__get__") else found

    class _Initializer(_Deferred):
        """`__init__`, which need not wait for attrs; but who looks at it wants to see the parameters."""

        __slots__ = ()

        def __get__(self, instance, owner):
            pending = self._pending
            # `inspect.signature` of Python 3.13 binds it to the class.
            if instance is None or instance is pending.cls:
                return super().__get__(instance, owner)

            def initialize(*args, **kwargs):
                pending.initialize(instance, *args, **kwargs)

            return initialize


def values(instance: AttrsInstance) -> tuple[Any, ...]:
    """The values of all fields, as `attrs.astuple(instance, recurse=False)`, also before attrs has been there."""
    names: tuple[str, ...] = vars(type(instance))["__slots__"]
    return tuple([getattr(instance, name) for name in names if name != "__weakref__"])

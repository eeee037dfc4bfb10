"""Changes the C that mypyc makes: what must not be as it has it, and what takes much room."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

#: How mypyc frees an object of a class that the collector does not know, for that is what `acyclic` says.
ACYCLIC_DEALLOC: Final = re.compile(
    r"(_dealloc\(\w+ \*self\)\n\{\n)    CPy_TRASHCAN_BEGIN\(self, \w+\)\n(.*?)    CPy_TRASHCAN_END\(self\)\n", re.DOTALL
)
#: What a library has for each of its modules: a capsule, to be made at every start.
MODULE: Final = re.compile(
    r"    extern PyObject \*(?P<init>CPyInit_\w+)\(void\);\n"
    r'    capsule = PyCapsule_New\(\(void \*\)(?P=init), "\w+\.init_\w+", NULL\);\n'
    r"    if \(!capsule\) \{\n        goto fail;\n    \}\n"
    r'    res = PyObject_SetAttrString\(module, "init_\w+", capsule\);\n'
    r"    Py_DECREF\(capsule\);\n    if \(res < 0\) \{\n        goto fail;\n    \}\n"
)
#: Instead it has a function that makes a module; the initialization of the library, and what refuses it.
LIBRARY: Final = re.compile(r"^static int exec_(\w+__mypyc)\(PyObject \*module\)\n\{\n    int res;\n", re.MULTILINE)
LOAD: Final = """%(declarations)s
static const struct {
    const char *name;
    PyObject *(*load)(void);
    PyObject *(*make)(void);
    int (*run)(PyObject *);
    CPyModule **internal;
    CPyModuleCache *cache;
    CPyImportState *state;
} library_modules[] = {
%(modules)s};

static int is_main_interpreter(void) {
    if (PyInterpreterState_Get() == PyInterpreterState_Main())
        return 1;
    PyErr_SetString(PyExc_ImportError, "native wheels run in the main interpreter of a process (PEP 734)");
    return 0;
}

static int find_module(PyObject *name) {
    int i = PyUnicode_Check(name) ? sizeof(library_modules) / sizeof(library_modules[0]) : 0;
    do
        i--;
    while (i >= 0 && PyUnicode_CompareWithASCIIString(name, library_modules[i].name) != 0);
    return i;
}

static PyObject *load(PyObject *self, PyObject *name) {
    if (!is_main_interpreter()%(dependencies)s)
        return NULL;
    int i = find_module(name);
    if (i >= 0)
        return library_modules[i].load();
    PyErr_SetObject(PyExc_ImportError, name);
    return NULL;
}

static PyObject *import_module(PyObject *self, PyObject *name) {
    if (!is_main_interpreter()%(dependencies)s)
        return NULL;
    int i = find_module(name);
    if (i < 0)
        Py_RETURN_NONE;
    return import_native(
        name, library_modules[i].make, library_modules[i].run, library_modules[i].internal, library_modules[i].cache,
        library_modules[i].state);
}

static PyMethodDef library_functions[] = {
    {"load", load, METH_O, NULL}, {"import_module", import_module, METH_O, NULL}, {NULL, NULL, 0, NULL}};

"""
LIBRARY_MODULE: Final = """\
    {"%(dotted)s", CPyInit_%(name)s, CPyInitOnly_%(name)s, CPyExec_%(name)s, &CPyModule_%(name)s__internal,
     &CPyModule_%(name)s, &CPyImportState_%(name)s},
"""
LOADS: Final = """    if (!is_main_interpreter() || PyModule_AddFunctions(module, library_functions) < 0)
        return -1;
"""
#: The whole C of what stands beside each module's source, for Python to find. (Python's headers would take most of the
#: time, 126 times.)
LOADER: Final = """#if defined(_WIN32)
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
void *PyInit_%(last)s(void);
void *PyImport_ImportModule(const char *name);
void *PyObject_CallMethod(void *object, const char *name, const char *format, ...);
void Py_DecRef(void *object);

void *PyInit_%(last)s(void) {
    void *made = 0;
    void *library = PyImport_ImportModule("%(library)s");
    if (library)
        made = PyObject_CallMethod(library, "load", "s", "%(dotted)s");
    Py_DecRef(library);
    return made;
}
"""


def load_by_name(text: str) -> str:
    """The C of a library with a function that makes its modules, by name."""
    names = [found["init"].removeprefix("CPyInit_") for found in MODULE.finditer(text)]
    text = MODULE.sub("", text)
    begin = LIBRARY.search(text)
    if not names or begin is None:
        raise ValueError("mypyc's libraries are not as expected")
    dependencies = f"ensure_deps_{begin[1]}"
    has_dependencies = f"int {dependencies}(void)" in text
    what = {
        "declarations": "".join(
            [
                f"int {dependencies}(void);\n" if has_dependencies else "",
                *(f"PyObject *CPyInit_{name}(void);\n" for name in names),
            ]
        ),
        "dependencies": f" || {dependencies}() < 0" if has_dependencies else "",
        "modules": "".join(LIBRARY_MODULE % {"name": name, "dotted": name.replace("___", ".")} for name in names),
    }
    return text[: begin.start()] + LOAD % what + begin[0] + LOADS + text[begin.end() :]


#: Where a library's declarations begin; its variables are its own, so no table need be asked for their addresses.
DECLARATIONS: Final = "int CPyGlobalsInit(void);"
HIDDEN: Final = """#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif
"""
SMALL_INTS: Final = """\
static PyObject *small_ints[4096];
static PyObject *small_int(Py_ssize_t value) {
#ifndef Py_GIL_DISABLED
    if ((size_t)value < sizeof(small_ints) / sizeof(small_ints[0])) {
        PyObject *known = small_ints[value];
        if (known == NULL) {
            known = small_ints[value] = CPyLong_FromSsize_t(value);
            if (known == NULL)
                return NULL;
        }
        Py_INCREF(known);
        return known;
    }
#endif
    return CPyLong_FromSsize_t(value);
}

PyObject *CPyTagged_AsObject(CPyTagged x) {
"""
#: A module that has all these names already, or that a library that is loaded makes, which needs no importer; NULL
#: without an exception if it is to look.
READY_MODULE: Final = """\
static PyObject *ready_module(PyObject *name, PyObject *names) {
    PyObject *module = PyImport_GetModule(name);
    if (module == NULL) {
        PyErr_Clear();
        return NULL;
    }
    int ready = PyModule_Check(module) && !CPyImport_IsModuleInitializing(module);
    for (Py_ssize_t i = 0; ready && names != NULL && i < PyTuple_GET_SIZE(names); i++)
        ready = PyDict_GetItemWithError(PyModule_GetDict(module), PyTuple_GET_ITEM(names, i)) != NULL;
    if (ready)
        return module;
    PyErr_Clear();
    Py_DECREF(module);
    return NULL;
}

static PyObject *library_module(PyObject *name) {
    Py_ssize_t length = PyUnicode_FindChar(name, '.', 0, PyUnicode_GET_LENGTH(name), 1);
    PyObject *package = length > 0 ? PyUnicode_Substring(name, 0, length) : NULL;
    PyObject *library_name = package ? PyUnicode_FromFormat("%U__mypyc", package) : NULL;
    PyObject *library = library_name ? PyImport_GetModule(library_name) : NULL;
    PyObject *function = library && PyModule_Check(library)
        ? PyDict_GetItemString(PyModule_GetDict(library), "import_module") : NULL;
    PyObject *module = function ? PyObject_CallOneArg(function, name) : NULL;
    if (module == Py_None)
        Py_CLEAR(module);
    Py_XDECREF(library);
    Py_XDECREF(library_name);
    Py_XDECREF(package);
    return module;
}

PyObject *CPyImport_ImportFromMany("""
#: What mypyc brings along in C, and instead: keeping the objects of small integers; and not making an exception, to be
#: dropped, for each attribute that nothing has, which is a tenth of what a start takes.
LIBRARY_CHANGES: Final = {
    "int_ops.c": [
        ("CPyLong_FromSsize_t(CPyTagged_ShortAsSsize_t(x))", "small_int(CPyTagged_ShortAsSsize_t(x))"),
        ("PyObject *CPyTagged_AsObject(CPyTagged x) {\n", SMALL_INTS),
    ],
    "misc_ops.c": [
        ("PyObject *CPyImport_ImportFromMany(", READY_MODULE),
        (
            "    PyObject *mod = PyImport_ImportModuleLevelObject(mod_id, globals, 0, names, 0);\n",
            "    PyObject *mod = ready_module(mod_id, names);\n"
            "    if (mod == NULL)\n"
            "        mod = library_module(mod_id);\n"
            "    if (mod == NULL && !PyErr_Occurred())\n"
            "        mod = PyImport_ImportModuleLevelObject(mod_id, globals, 0, names, 0);\n",
        ),
        (
            "    PyObject *parent_module = PyImport_Import(parent_name);\n",
            "    PyObject *parent_module = ready_module(parent_name, NULL);\n"
            "    if (parent_module == NULL)\n"
            "        parent_module = PyImport_Import(parent_name);\n",
        ),
        (
            "    slots = PyObject_GetAttr((PyObject *)t, mypyc_interned_str.__slots__);\n",
            "    slots = _PyType_Lookup((PyTypeObject *)t, mypyc_interned_str.__slots__);\n    Py_XINCREF(slots);\n",
        ),
        (
            'int rc = PyObject_GetOptionalAttrString(modobj, "__file__", &file);\n    if (rc < 0) {\n'
            "        return -1;\n    }\n    if (file != NULL) {\n        // __file__ already",
            'int rc = 0;\n    file = PyDict_GetItemString(PyModule_GetDict(modobj), "__file__");\n'
            "    Py_XINCREF(file);\n    if (file != NULL) {\n        // __file__ already",
        ),
    ],
}

#: What mypyc says where something has failed, for the traceback: file, function, line, module; and what has failed.
_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_PLACE: Final = rf"(?P<file>{_STRING}), (?P<function>{_STRING}), "
_REST: Final = r"(?P<line>\d+), (?P<module>\w+)"
TRACE: Final = re.compile(rf"CPy_AddTraceback\({_PLACE}{_REST}\)")
TRACE_TYPE: Final = re.compile(rf"CPy_TypeErrorTraceback\({_PLACE}{_REST}, ")
TRACE_ATTRIBUTE: Final = re.compile(
    rf"CPy_AttributeError\({_PLACE}(?P<type>{_STRING}), (?P<attribute>{_STRING}), {_REST}\)"
)
RAISE: Final = re.compile(r"PyErr_SetString\(PyExc_(\w+), ")
#: The same with less to pass: function and line in one number, the rest is the same in the whole file.
TRACES: Final = """#if defined(__GNUC__)
#define RARE __attribute__((cold, noinline, unused))
#else
#define RARE
#endif
static const char functions[] = %(functions)s;
static RARE void trace(unsigned place) {
    CPy_AddTraceback(%(file)s, functions + (place >> 16), place & 0xffff, %(globals)s);
}
static RARE void trace_type(unsigned place, const char *expected, PyObject *value) {
    CPy_TypeError(expected, value);
    trace(place);
}
static RARE void trace_attribute(unsigned place, const char *names) {
    const char *attribute = names + strlen(names) + 1;
    CPy_AttributeError(%(file)s, functions + (place >> 16), names, attribute, place & 0xffff, %(globals)s);
}
"""
RAISES: Final = """static RARE void raise_%(error)s(const char *message) {
    PyErr_SetString(PyExc_%(error)s, message);
}
"""
#: What `help` says of functions whose names begin with an underscore.
PRIVATE_DOC: Final = re.compile(r'(\{"_[^_"]\w*", \(PyCFunction\)\w+, [\w |]+, )PyDoc_STR\("(?:[^"\\]|\\.)*"\)')
#: Where definitions of a C file begin.
FIRST_INCLUDE: Final = re.compile(r'#include "__native_internal_\w+\.h"\n')


def shorten_failures(text: str) -> str:
    """The C of a module with less for each operation that may fail, which nearly all may: a quarter of the code."""
    found = TRACE.search(text)
    if found is None:
        return text
    file, module = found["file"], found["module"]
    offsets: dict[str, int] = {}

    def shorter(pattern: re.Pattern[str], write: Callable[[str, re.Match[str]], str]) -> None:
        nonlocal text

        def replace(match: re.Match[str]) -> str:
            names = sum(len(name) + 1 for name in offsets)
            offset = offsets.setdefault(match["function"][1:-1], names)
            line = int(match["line"])
            if (match["file"], match["module"]) != (file, module) or max(offset, line) >= 1 << 16:
                return match[0]
            return write(f"{offset}u << 16 | {line}", match)

        text = pattern.sub(replace, text)

    def both(match: re.Match[str]) -> str:
        return f"{match['type'][:-1]}\\0{match['attribute'][1:]}"

    shorter(TRACE, lambda place, _: f"trace({place})")
    shorter(TRACE_TYPE, lambda place, _: f"trace_type({place}, ")
    shorter(TRACE_ATTRIBUTE, lambda place, match: f"trace_attribute({place}, {both(match)})")
    functions = "".join(f"{name}\\0" for name in offsets)
    errors = dict.fromkeys(RAISE.findall(text))
    text = RAISE.sub(r"raise_\1(", text)
    helpers = TRACES % {"functions": f'"{functions}"', "file": file, "globals": module}
    helpers += "".join(RAISES % {"error": error} for error in errors)
    return FIRST_INCLUDE.sub(lambda match: match[0] + helpers, text, count=1)


#: What a function does with what it holds where something has failed, each place by itself; the next block or a label.
CLEANUP: Final = re.compile(
    r"^(CPyL\d+): ;\n((?:    CPy(?:Tagged)?_DecRef\(\w+\);\n)+)(?:    goto (\w+);\n|(?=(CPyL\d+): ;\n))", re.MULTILINE
)
END_OF_FUNCTION: Final = re.compile(r"^\}\n", re.MULTILINE)


class _Cleanups:
    """Where a function gives up what it holds: from each place it goes on where there is less to give up."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, tuple[str, ...]], str] = {}
        self.text = ""

    def place(self, target: str, given_up: tuple[str, ...]) -> str:
        """The label for giving up some, the last first, and going to `target` then."""
        for length in range(len(given_up) + 1):
            part = given_up[:length]
            if not part:
                label = target
            elif (target, part) in self._places:
                label = self._places[target, part]
            else:
                following = label
                label = self._places[target, part] = f"give_up_{len(self._places)}"
                self.text += f"{label}: ;\n{part[-1]}\n    goto {following};\n"
        return label


def _go_to_cleanup(counts: Counter[str], cleanups: _Cleanups, found: re.Match[str]) -> str:
    """What stands where giving up something stood: what is given up most often comes last."""
    given_up = sorted(found[2].splitlines(), key=lambda line: -counts[line])
    return f"{found[1]}: ;\n    goto {cleanups.place(found[3] or found[4], tuple(given_up))};\n"


def share_cleanups(text: str) -> str:
    """The C of a module with each thing given up in as few places of a function as can be."""
    parts = []
    begin = 0
    for end in END_OF_FUNCTION.finditer(text):
        function = text[begin : end.start()]
        counts = Counter(line for found in CLEANUP.finditer(function) for line in found[2].splitlines())
        cleanups = _Cleanups()

        parts += [CLEANUP.sub(partial(_go_to_cleanup, counts, cleanups), function), cleanups.text, end[0]]
        begin = end.end()
    return "".join(parts) + text[begin:]


#: The function of a module's own statements, which run once.
TOP_LEVEL: Final = re.compile(r"^char CPyDef_\w+_____top_level__\(void\) \{$", re.MULTILINE)
RUN_ONCE: Final = """#if defined(__GNUC__)
__attribute__((cold, no_profile_instrument_function))
#endif
"""


_FAILED: Final = r"    if \(unlikely\(\w+ == NULL\)\) \{\n(?:        .*\n){2}    \}\n"
#: How a module's code imports another one of its library, which nearly every module does ten times.
IMPORT: Final = re.compile(
    r"    \w+ = \(void \*\)&(?P<cache>CPyModule_\w+);\n    \w+ = \(void \*\)&(?P<state>CPyImportState_\w+);\n"
    r"    \w+ = (?P<lock>CPyModuleLockAPI_\w+);\n    (?P<known>\w+) = CPyImport_IsInitialized\(\w+\);\n"
    r"    if \(!(?P=known)\) goto (?P<unknown>\w+);\n"
    r"    \w+ = PyImport_GetModuleDict\(\);\n    \w+ = CPyStatics\[(?P<name>\d+)\];.*\n"
    r"    (?P<found>\w+) = CPyDict_GetItem\(\w+, \w+\);\n"
    rf"{_FAILED}    (?P<module>\w+) = (?P=found);\n    goto (?P<then>\w+);\n"
    r"(?P=unknown): ;\n    \w+ = (?P<make>CPyInitOnly_\w+);\n    \w+ = (?P<run>CPyExec_\w+);\n"
    r"    \w+ = \(PyObject \*\*\)&(?P<internal>CPyModule_\w+__internal);\n"
    r"    \w+ = PyImport_GetModuleDict\(\);\n    \w+ = CPyStatics\[(?P<library>\d+)\];.*\n"
    rf"    (?P<held>\w+) = CPyDict_GetItem\(\w+, \w+\);\n{_FAILED}"
    r"    \w+ = CPyStatics\[(?P<file>\d+)\];.*\n    (?P<path>\w+) = CPyObject_GetAttr\(\w+, \w+\);\n"
    rf"    CPy_DECREF\((?P=held)\);\n{_FAILED}"
    r"    \w+ = CPyStatics\[(?P<suffix>\d+)\];.*\n    \w+ = CPyStatics\[(?P=name)\];.*\n"
    r"    (?P<made>\w+) = CPyImport_ImportNative\(.*, 0\);\n    CPy_DECREF\((?P=path)\);\n"
    rf"(?P<failed>{_FAILED})    (?P=module) = (?P=made);\n(?P=then): ;\n"
)
IMPORTED: Final = """    %(made)s = import_native(
        CPyStatics[%(name)s], %(make)s, %(run)s, (void *)&%(internal)s, (void *)&%(cache)s, (void *)&%(state)s);
%(failed)s    %(module)s = %(made)s;
%(then)s: ;
"""
#: What such an import calls: declared for all modules of a library, defined for one.
IMPORT_NATIVE: Final = """PyObject *import_native(
    PyObject *name, PyObject *(*make)(void), int (*run)(PyObject *), CPyModule **internal, CPyModuleCache *cache,
    CPyImportState *state)"""
IMPORT_BODY: Final = """ {
    PyObject *modules = PyImport_GetModuleDict();
    if (CPyImport_IsInitialized(state))
        return CPyDict_GetItem(modules, name);
    PyObject *library = CPyDict_GetItem(modules, CPyStatics[%(library)s]);
    PyObject *path = library ? PyObject_GetAttr(library, CPyStatics[%(file)s]) : NULL;
    Py_XDECREF(library);
    if (path == NULL)
        return NULL;
    PyObject *made = CPyImport_ImportNative(
        name, make, run, internal, cache, state, %(lock)s, path, CPyStatics[%(suffix)s], 0);
    Py_DECREF(path);
    return made;
}
"""


#: `from __future__ import annotations`, which mypyc does at every start.
FUTURE: Final = re.compile(
    r"    \w+ = CPyStatics\[\d+\]; /\* \('annotations',\) \*/\n    \w+ = CPyStatics\[\d+\]; /\* '__future__' \*/\n"
    rf"    \w+ = \w+;\n    \w+ = CPyImport_ImportFromMany\(.*\);\n{_FAILED}"
    r"    \w+ = \(void \*\)&CPyModule___future__;\n    CPyImport_ReplaceModuleCacheForImport\(\w+, \w+\);\n"
    r"    CPy_DECREF\(\w+\);\n"
)


def shorten_imports(text: str) -> tuple[str, dict[str, str]]:
    """The C of a module with a call for each import of a module of the same library, and what the last one said."""
    said: dict[str, str] = {}

    def replace(found: re.Match[str]) -> str:
        said.update(found.groupdict())
        return IMPORTED % said

    return IMPORT.sub(replace, FUTURE.sub("", text)), said


def mend_library(header: Path) -> None:
    """Change the C of the modules of a library, of which this is the header."""
    name = header.stem.replace("internal_", "")
    imports: dict[str, str] = {}
    for path in header.parent.glob(f"{name}___*.c"):
        text, said = shorten_imports(ACYCLIC_DEALLOC.sub(r"\1\2", path.read_text()))
        imports.update(said)
        text = PRIVATE_DOC.sub(r"\1NULL", share_cleanups(shorten_failures(text)))
        path.write_text(TOP_LEVEL.sub(lambda found: RUN_ONCE + found[0], text))
    declarations = f"{HIDDEN}{IMPORT_NATIVE};\n{DECLARATIONS}"
    header.write_text(header.read_text().replace(DECLARATIONS, declarations, 1))
    library = header.with_name(f"{name}.c")
    text = load_by_name(library.read_text())
    if imports:
        text += IMPORT_NATIVE + IMPORT_BODY % imports
    library.write_text(text)


def mend(folder: Path) -> None:
    """Change what must not be as mypyc has it, and what takes much room.

    CPython puts off freeing objects where it has descended too far while it frees what refers to each other: it puts
    them into a list, whose link is in front of an object that its collector knows; in front of others it is part of
    something else. Lists, which are between any two objects of ours, are still put off, so nothing descends further.

    A subinterpreter would get the module objects of the main interpreter, and empty them when it ends.

    Numbers of values and registers go into lists 25 times for each instruction, and CPython keeps those up to 256 only.
    """
    for name, changes in LIBRARY_CHANGES.items():
        path = folder / name
        text = path.read_text()
        for old, new in changes:
            if old not in text:
                raise ValueError(f"mypyc's {name} is not as expected: {old}")
            text = text.replace(old, new)
        path.write_text(text)
    for library in folder.glob("__native_internal_*.h"):
        mend_library(library)
    for path in folder.glob("*/**/*.c"):
        parts = path.relative_to(folder).with_suffix("").parts
        path.write_text(LOADER % {"last": parts[-1], "dotted": ".".join(parts), "library": f"{parts[0]}__mypyc"})

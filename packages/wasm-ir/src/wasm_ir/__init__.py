"""SSA intermediate representation, WebAssembly front end, and the machine-independent half of the code generator."""

"""The machine-independent half of a code generator, parameterised by a description of the machine."""

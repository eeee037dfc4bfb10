"""The sections of a benchmark run, one module each: a function `measure(options) -> Section`."""

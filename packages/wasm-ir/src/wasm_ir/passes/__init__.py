"""Passes over IR functions, which `wasm_ir.frontend.translate` calls when a function has been built, in this order:

1. `trivial_params`: needs the arguments of all edges (`Locals.fill_edges`).
2. `dce`: what nothing needs goes. (Then `translate` takes out blocks of its own that do nothing but jump.)
3. `loops`: after it no pass but `unroll` changes blocks and edges, and that returns what `find_loops` would give then.
4. `cold`: only where there are branch hints, which have marked edges.
5. `polls` and `unroll`, only in code that polls, where the front end has put a poll at the start of each loop; all but
   the last where there are loops, with the ends that `loops` gave:
   `thin_out_polls`, which counts what runs and looks for constants, so after 1 and 2;
   `unroll_polling_loops`, which copies loops that still poll and are not cold, so after that and after 4;
   `share_polls`, which lets polls stand elsewhere than at the start of a loop, where `unroll` would not find them;
   `poll_in_long_leaf`, which counts what is there in the end.

All rely on the order of blocks (`ir.Function`) and keep it, and `Block.predecessors` with it. Glue that has loops calls
`find_loops` alone. Each takes time near-linear in the size of the function.
"""

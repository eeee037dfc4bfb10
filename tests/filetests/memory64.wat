;; Addresses of 64 bits: what lies behind the memory's guard pages is found by one comparison, for all accesses at an
;; index and those not far behind it; a constant offset that guard pages do not take care of by comparing with the size.

(module
  (memory i64 1)
  (func (export "f") (param i64 i64) (result i64)
    local.get 0
    local.get 1
    i64.store offset=8
    local.get 0
    i64.load offset=4294967295
    local.get 1
    i64.load8_u offset=4294967296
    i64.add
    i64.const 40
    i64.load
    i64.add
    local.get 0
    i64.const 64
    i64.add
    i64.load
    i64.add))

;; -- ir
;; function 0 (i64, i64) -> (i64) {
;; block0(v0: i64, v1: i64):
;;   v2 = icmp.i64 gt_u v0, 17179869183:i64
;;   trap_if v2, memory_out_of_bounds
;;   v3 = iadd.i64 memory_base, v0
;;   heap_store.i64 [v3+8], v1
;;   v4 = heap_load.i64 [v3+4294967295]
;;   v5 = load_invariant.i64 [vmctx+112]
;;   v6 = load.i64 [v5+8]
;;   v7 = icmp.i64 lt_u v6, 4294967297:i64
;;   trap_if v7, memory_out_of_bounds
;;   v8 = iadd.i64 v6, -4294967297:i64
;;   v9 = icmp.i64 gt_u v1, v8
;;   trap_if v9, memory_out_of_bounds
;;   v10 = iadd.i64 memory_base, v1
;;   v11 = iadd.i64 v10, 4294967296:i64
;;   v12 = heap_load8_u.i64 [v11]
;;   v13 = iadd.i64 v4, v12
;;   v14 = heap_load.i64 [memory_base+40]
;;   v15 = iadd.i64 v13, v14
;;   v16 = iadd.i64 v0, 64:i64
;;   v17 = iadd.i64 memory_base, v16
;;   v18 = heap_load.i64 [v17]
;;   v19 = iadd.i64 v15, v18
;;   return v19
;; }

;; -- amd64
;; 168 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   cmp rdi, qword ptr [L4]
;;   ja L0
;;   mov qword ptr [r14 + rdi + 8], rsi          ; i64.store offset=8
;;   mov eax, 0xffffffff
;;   lea rcx, [r14 + rdi]
;;   mov rax, qword ptr [rcx + rax]              ; i64.load offset=4294967295
;;   mov rcx, qword ptr [r15 + 0x70]
;;   mov rcx, qword ptr [rcx + 8]
;;   cmp rcx, qword ptr [L5]
;;   jb L1
;;   add rcx, qword ptr [L6]
;;   cmp rsi, rcx
;;   ja L2
;;   lea rcx, [r14 + rsi]
;;   add rcx, qword ptr [L7]
;;   movzx ecx, byte ptr [rcx]                   ; i64.load8_u offset=4294967296
;;   add rax, rcx
;;   add rax, qword ptr [r14 + 0x28]             ; i64.load
;;   add rax, qword ptr [r14 + rdi + 0x40]       ; i64.load
;;   pop rbp
;;   ret
;; L0:
;;   call L3                                     ; i64.store offset=8
;; L1:
;;   call L3                                     ; i64.load8_u offset=4294967296
;; L2:
;;   call L3                                     ; i64.load8_u offset=4294967296
;; L3:
;;   mov r11d, 2
;;   jmp qword ptr [r15 + 0x18]
;; L4:
;;   ffffffff 03000000
;; L5:
;;   01000000 01000000
;; L6:
;;   ffffffff feffffff
;; L7:
;;   00000000 01000000

;; -- arm64
;; 144 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   tst x0, #-0x400000000
;;   b.ne L0
;;   add x2, x27, x0
;;   str x1, [x2, #8]                            ; i64.store offset=8
;;   mov w3, #-1
;;   ldr x2, [x2, x3]                            ; i64.load offset=4294967295
;;   ldr x3, [x28, #0x70]
;;   ldr x3, [x3, #8]
;;   mov x4, #0x100000001
;;   cmp x3, x4
;;   b.lo L1
;;   mov x4, #-0x100000001
;;   add x3, x3, x4
;;   cmp x1, x3
;;   b.hi L2
;;   add x1, x27, x1
;;   mov x3, #0x100000000
;;   ldrb w1, [x1, x3]                           ; i64.load8_u offset=4294967296
;;   add x1, x2, x1
;;   ldr x2, [x27, #0x28]                        ; i64.load
;;   add x1, x1, x2
;;   add x0, x0, #0x40
;;   ldr x0, [x27, x0]                           ; i64.load
;;   add x0, x1, x0
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   bl L3                                       ; i64.store offset=8
;; L1:
;;   bl L3                                       ; i64.load8_u offset=4294967296
;; L2:
;;   bl L3                                       ; i64.load8_u offset=4294967296
;; L3:
;;   mov w16, #2
;;   ldr x17, [x28, #0x18]
;;   br x17

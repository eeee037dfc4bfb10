;; With explicit checks: the sum of index and offset could be more than 64 bits. The first two accesses share a check,
;; as memories do not shrink.
;; bounds checks: explicit

(module
  (memory i64 1)
  (memory i64 0)
  (func (export "f") (param i64) (result i64)
    local.get 0
    i64.load offset=8
    local.get 0
    i64.load32_u offset=4
    i64.add
    local.get 0
    i64.load 1
    i64.add))

;; -- ir
;; function 0 (i64) -> (i64) {
;; block0(v0: i64):
;;   v1 = load_invariant.i64 [vmctx+112]
;;   v2 = load.i64 [v1+8]
;;   v3 = iadd.i64 v2, -16:i64
;;   v4 = icmp.i64 gt_u v0, v3
;;   trap_if v4, memory_out_of_bounds
;;   v5 = iadd.i64 memory_base, v0
;;   v6 = heap_load.i64 [v5+8]
;;   v7 = heap_load32_u.i64 [v5+4]
;;   v8 = iadd.i64 v6, v7
;;   v9 = load_invariant.i64 [vmctx+120]
;;   v10 = load.i64 [v9+8]
;;   v11 = icmp.i64 lt_u v10, 8:i64
;;   trap_if v11, memory_out_of_bounds
;;   v12 = iadd.i64 v10, -8:i64
;;   v13 = icmp.i64 gt_u v0, v12
;;   trap_if v13, memory_out_of_bounds
;;   v14 = load_invariant.i64 [v9]
;;   v15 = iadd.i64 v14, v0
;;   v16 = heap_load.i64 [v15]
;;   v17 = iadd.i64 v8, v16
;;   return v17
;; }

;; -- amd64
;; 108 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov rax, qword ptr [r15 + 0x70]
;;   mov rax, qword ptr [rax + 8]
;;   add rax, -0x10
;;   cmp rdi, rax
;;   ja L0
;;   mov eax, dword ptr [r14 + rdi + 4]          ; i64.load32_u offset=4
;;   add rax, qword ptr [r14 + rdi + 8]          ; i64.load offset=8
;;   mov rcx, qword ptr [r15 + 0x78]
;;   mov rdx, qword ptr [rcx + 8]
;;   cmp rdx, 8
;;   jb L1
;;   add rdx, -8
;;   cmp rdi, rdx
;;   ja L2
;;   mov rcx, qword ptr [rcx]
;;   add rax, qword ptr [rcx + rdi]              ; i64.load 1
;;   pop rbp
;;   ret
;; L0:
;;   call L3                                     ; i64.load offset=8
;; L1:
;;   call L3                                     ; i64.load 1
;; L2:
;;   call L3                                     ; i64.load 1
;; L3:
;;   mov r11d, 2
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 124 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ldr x1, [x28, #0x70]
;;   ldr x1, [x1, #8]
;;   sub x1, x1, #0x10
;;   cmp x0, x1
;;   b.hi L0
;;   add x1, x27, x0
;;   ldr x2, [x1, #8]                            ; i64.load offset=8
;;   ldr w1, [x1, #4]                            ; i64.load32_u offset=4
;;   add x1, x2, x1
;;   ldr x2, [x28, #0x78]
;;   ldr x3, [x2, #8]
;;   cmp x3, #8
;;   b.lo L1
;;   sub x3, x3, #8
;;   cmp x0, x3
;;   b.hi L2
;;   ldr x2, [x2]
;;   ldr x0, [x2, x0]                            ; i64.load 1
;;   add x0, x1, x0
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   bl L3                                       ; i64.load offset=8
;; L1:
;;   bl L3                                       ; i64.load 1
;; L2:
;;   bl L3                                       ; i64.load 1
;; L3:
;;   mov w16, #2
;;   ldr x17, [x28, #0x18]
;;   br x17

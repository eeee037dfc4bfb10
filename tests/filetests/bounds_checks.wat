;; Addresses that are compared with the memory's size, for memories without guard pages.
;; bounds checks: explicit

(module
  (memory 1)
  (func (export "f") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.store offset=4
    local.get 0
    i32.load offset=4
    local.get 0
    i32.load8_u offset=100000
    i32.add))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = iadd.i64 v2, 8:i64
;;   v4 = load_invariant.i64 [vmctx+112]
;;   v5 = load.i64 [v4+8]
;;   v6 = icmp.i64 gt_u v3, v5
;;   trap_if v6, memory_out_of_bounds
;;   v7 = iadd.i64 memory_base, v2
;;   heap_store.i32 [v7+4], v1
;;   v8 = load.i64 [v4+8]
;;   v9 = icmp.i64 gt_u v3, v8
;;   trap_if v9, memory_out_of_bounds
;;   v10 = heap_load.i32 [v7+4]
;;   v11 = iadd.i64 v2, 100001:i64
;;   v12 = load.i64 [v4+8]
;;   v13 = icmp.i64 gt_u v11, v12
;;   trap_if v13, memory_out_of_bounds
;;   v14 = heap_load8_u.i32 [v7+100000]
;;   v15 = iadd.i32 v10, v14
;;   return v15
;; }

;; -- amd64
;; 105 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   lea rax, [rdi + 8]
;;   mov rcx, qword ptr [r15 + 0x70]
;;   cmp rax, qword ptr [rcx + 8]
;;   ja L0
;;   mov dword ptr [r14 + rdi + 4], esi          ; i32.store offset=4
;;   cmp rax, qword ptr [rcx + 8]
;;   ja L1
;;   mov eax, dword ptr [r14 + rdi + 4]          ; i32.load offset=4
;;   lea rdx, [rdi + 0x186a1]
;;   cmp rdx, qword ptr [rcx + 8]
;;   ja L2
;;   movzx ecx, byte ptr [r14 + rdi + 0x186a0]   ; i32.load8_u offset=100000
;;   add eax, ecx
;;   pop rbp
;;   ret
;; L0:
;;   call L3                                     ; i32.store offset=4
;; L1:
;;   call L3                                     ; i32.load offset=4
;; L2:
;;   call L3                                     ; i32.load8_u offset=100000
;; L3:
;;   mov r11d, 2
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 128 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x2, x0, #8
;;   ldr x3, [x28, #0x70]
;;   ldr x4, [x3, #8]
;;   cmp x2, x4
;;   b.hi L0
;;   add x4, x27, w0, uxtw
;;   str w1, [x4, #4]                            ; i32.store offset=4
;;   ldr x1, [x3, #8]
;;   cmp x2, x1
;;   b.hi L1
;;   ldr w1, [x4, #4]                            ; i32.load offset=4
;;   add x0, x0, #0x18, lsl #12
;;   add x0, x0, #0x6a1
;;   ldr x2, [x3, #8]
;;   cmp x0, x2
;;   b.hi L2
;;   mov w0, #0x86a0
;;   movk x0, #1, lsl #16
;;   ldrb w0, [x4, x0]                           ; i32.load8_u offset=100000
;;   add w0, w1, w0
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   bl L3                                       ; i32.store offset=4
;; L1:
;;   bl L3                                       ; i32.load offset=4
;; L2:
;;   bl L3                                       ; i32.load8_u offset=100000
;; L3:
;;   mov w16, #2
;;   ldr x17, [x28, #0x18]
;;   br x17

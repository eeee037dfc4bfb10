;; The same with explicit checks, and copying from one memory to another.
;; bounds checks: explicit

(module
  (memory 1)
  (memory 1)
  (func (export "f") (param i32) (result i32)
    local.get 0
    i32.const 0
    i32.const 16
    memory.copy 1 0
    local.get 0
    i32.load 1 offset=4))

;; -- ir
;; function 0 (i32) -> (i32) {
;; block0(v0: i32):
;;   v1 = extend_u.i64 v0
;;   v2 = load_invariant.i64 [vmctx+120]
;;   v3 = load.i64 [v2+8]
;;   v4 = load_invariant.i64 [vmctx+112]
;;   v5 = load.i64 [v4+8]
;;   v6 = icmp.i64 lt_u v5, 16:i64
;;   trap_if v6, memory_out_of_bounds
;;   v7 = iadd.i64 v1, 16:i64
;;   v8 = icmp.i64 gt_u v7, v3
;;   trap_if v8, memory_out_of_bounds
;;   v9 = load_invariant.i64 [v2]
;;   v10 = iadd.i64 v9, v1
;;   v11 = load_invariant.i64 [vmctx+40]
;;   call_native v11(v10, memory_base, 16:i64)
;;   v12 = iadd.i64 v1, 8:i64
;;   v13 = load.i64 [v2+8]
;;   v14 = icmp.i64 gt_u v12, v13
;;   trap_if v14, memory_out_of_bounds
;;   v15 = heap_load.i32 [v10+4]
;;   return v15
;; }

;; -- amd64
;; 202 bytes, frame of 48
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x30
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L0:
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov ebx, edi
;;   mov r12, qword ptr [r15 + 0x78]
;;   mov rax, qword ptr [r12 + 8]
;;   mov rcx, qword ptr [r15 + 0x70]
;;   cmp qword ptr [rcx + 8], 0x10
;;   jb L1
;;   lea rcx, [rbx + 0x10]
;;   cmp rcx, rax
;;   ja L2
;;   mov rax, qword ptr [r12]
;;   lea r13, [rax + rbx]
;;   mov rax, qword ptr [r15 + 0x28]
;;   mov rdi, r13
;;   mov rsi, r14
;;   mov edx, 0x10
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.copy 1 0
;;   lea rsp, [rbp - 0x30]
;;   lea rax, [rbx + 8]
;;   cmp rax, qword ptr [r12 + 8]
;;   ja L3
;;   mov eax, dword ptr [r13 + 4]                ; i32.load 1 offset=4
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L1:
;;   call L5                                     ; memory.copy 1 0
;; L2:
;;   call L5                                     ; memory.copy 1 0
;; L3:
;;   call L5                                     ; i32.load 1 offset=4
;; L4:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L5:
;;   mov r11d, 2
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 204 bytes, frame of 32
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x30]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L0:
;;   stp x19, x20, [sp, #0x10]
;;   str x21, [sp, #0x20]
;;   mov x19, x0
;;   ldr x20, [x28, #0x78]
;;   ldr x0, [x20, #8]
;;   ldr x1, [x28, #0x70]
;;   ldr x1, [x1, #8]
;;   cmp x1, #0x10
;;   b.lo L1
;;   add x1, x19, #0x10
;;   cmp x1, x0
;;   b.hi L2
;;   ldr x0, [x20]
;;   add x21, x0, x19
;;   ldr x8, [x28, #0x28]
;;   mov x0, x21
;;   mov x1, x27
;;   mov w2, #0x10
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; memory.copy 1 0
;;   mov sp, x29
;;   add x0, x19, #8
;;   ldr x1, [x20, #8]
;;   cmp x0, x1
;;   b.hi L3
;;   ldr w0, [x21, #4]                           ; i32.load 1 offset=4
;;   ldp x19, x20, [sp, #0x10]
;;   ldr x21, [sp, #0x20]
;;   ldp x29, x30, [sp], #0x30
;;   ret
;; L1:
;;   bl L5                                       ; memory.copy 1 0
;; L2:
;;   bl L5                                       ; memory.copy 1 0
;; L3:
;;   bl L5                                       ; i32.load 1 offset=4
;; L4:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0
;; L5:
;;   mov w16, #2
;;   ldr x17, [x28, #0x18]
;;   br x17

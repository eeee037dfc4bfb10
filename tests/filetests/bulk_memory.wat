;; Copying and filling are calls of the runtime's functions; so is taking data from a segment.

(module
  (memory 1)
  (data "text")
  (func (export "f") (param i32 i32 i32)
    local.get 0
    local.get 1
    local.get 2
    memory.copy
    local.get 0
    i32.const 255
    local.get 2
    memory.fill
    local.get 1
    i32.const 0
    i32.const 4
    memory.init 0
    data.drop 0))

;; -- ir
;; function 0 (i32, i32, i32) -> () {
;; block0(v0: i32, v1: i32, v2: i32):
;;   v3 = extend_u.i64 v2
;;   v4 = extend_u.i64 v1
;;   v5 = extend_u.i64 v0
;;   v6 = load_invariant.i64 [vmctx+112]
;;   v7 = load.i64 [v6+8]
;;   v8 = iadd.i64 v4, v3
;;   v9 = icmp.i64 gt_u v8, v7
;;   trap_if v9, memory_out_of_bounds
;;   v10 = iadd.i64 v5, v3
;;   v11 = icmp.i64 gt_u v10, v7
;;   trap_if v11, memory_out_of_bounds
;;   v12 = iadd.i64 memory_base, v5
;;   v13 = iadd.i64 memory_base, v4
;;   v14 = load_invariant.i64 [vmctx+40]
;;   call_native v14(v12, v13, v3)
;;   poll
;;   v15 = load.i64 [v6+8]
;;   v16 = icmp.i64 gt_u v10, v15
;;   trap_if v16, memory_out_of_bounds
;;   v17 = load_invariant.i64 [vmctx+48]
;;   call_native v17(v12, 255:i32, v3)
;;   poll
;;   v18 = load.i64 [vmctx+136]
;;   v19 = icmp.i64 lt_u v18, 4:i64
;;   trap_if v19, memory_out_of_bounds
;;   v20 = load.i64 [v6+8]
;;   v21 = iadd.i64 v4, 4:i64
;;   v22 = icmp.i64 gt_u v21, v20
;;   trap_if v22, memory_out_of_bounds
;;   v23 = load.i64 [vmctx+128]
;;   call_native v14(v13, v23, 4:i64)
;;   store.i64 [vmctx+136], 0:i64
;;   return
;; }

;; -- amd64
;; 371 bytes, frame of 80
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x50
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L8
;; L0:
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov ebx, esi
;;   mov r12d, edx
;;   mov r13, qword ptr [r15 + 0x70]
;;   mov rax, qword ptr [r13 + 8]
;;   lea rcx, [rbx + r12]
;;   cmp rcx, rax
;;   ja L3
;;   lea rcx, [rdi + r12]
;;   mov qword ptr [rbp - 0x50], rcx
;;   cmp rcx, rax
;;   ja L4
;;   add rdi, r14
;;   mov qword ptr [rbp - 0x48], rdi
;;   lea rax, [r14 + rbx]
;;   mov qword ptr [rbp - 0x40], rax
;;   mov rcx, qword ptr [r15 + 0x28]
;;   mov qword ptr [rbp - 0x38], rcx
;;   mov edx, r12d
;;   mov rsi, rax
;;   mov rax, rcx
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.copy
;;   lea rsp, [rbp - 0x50]
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L9
;; L1:
;;   mov rcx, qword ptr [rbp - 0x50]
;;   cmp rcx, qword ptr [r13 + 8]
;;   ja L5
;;   mov rax, qword ptr [r15 + 0x30]
;;   mov rdi, qword ptr [rbp - 0x48]
;;   mov edx, r12d
;;   mov esi, 0xff
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.fill
;;   lea rsp, [rbp - 0x50]
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L10
;; L2:
;;   cmp qword ptr [r15 + 0x88], 4
;;   jb L6
;;   lea rax, [rbx + 4]
;;   cmp rax, qword ptr [r13 + 8]
;;   ja L7
;;   mov rsi, qword ptr [r15 + 0x80]
;;   mov rax, qword ptr [rbp - 0x38]
;;   mov rdi, qword ptr [rbp - 0x40]
;;   mov edx, 4
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.init 0
;;   lea rsp, [rbp - 0x50]
;;   mov qword ptr [r15 + 0x88], 0
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L3:
;;   call L11                                    ; memory.copy
;; L4:
;;   call L11                                    ; memory.copy
;; L5:
;;   call L11                                    ; memory.fill
;; L6:
;;   call L11                                    ; memory.init 0
;; L7:
;;   call L11                                    ; memory.init 0
;; L8:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L9:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; memory.copy
;;   jmp L1
;; L10:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; memory.fill
;;   jmp L2
;; L11:
;;   mov r11d, 2
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 388 bytes, frame of 64
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x50]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L8
;; L0:
;;   stp x19, x20, [sp, #0x10]
;;   stp x21, x22, [sp, #0x20]
;;   stp x23, x24, [sp, #0x30]
;;   str x25, [sp, #0x40]
;;   mov x19, x1
;;   mov x20, x2
;;   ldr x21, [x28, #0x70]
;;   ldr x1, [x21, #8]
;;   add x2, x19, x20
;;   cmp x2, x1
;;   b.hi L3
;;   add x22, x0, x20
;;   cmp x22, x1
;;   b.hi L4
;;   add x23, x27, w0, uxtw
;;   add x24, x27, w19, uxtw
;;   ldr x25, [x28, #0x28]
;;   mov x8, x25
;;   mov x0, x23
;;   mov x1, x24
;;   mov x2, x20
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; memory.copy
;;   mov sp, x29
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L9
;; L1:
;;   ldr x0, [x21, #8]
;;   cmp x22, x0
;;   b.hi L5
;;   ldr x8, [x28, #0x30]
;;   mov x0, x23
;;   mov x2, x20
;;   mov w1, #0xff
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; memory.fill
;;   mov sp, x29
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L10
;; L2:
;;   ldr x0, [x28, #0x88]
;;   cmp x0, #4
;;   b.lo L6
;;   ldr x0, [x21, #8]
;;   add x1, x19, #4
;;   cmp x1, x0
;;   b.hi L7
;;   ldr x1, [x28, #0x80]
;;   mov x8, x25
;;   mov x0, x24
;;   mov w2, #4
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; memory.init 0
;;   mov sp, x29
;;   str xzr, [x28, #0x88]
;;   ldp x19, x20, [sp, #0x10]
;;   ldp x21, x22, [sp, #0x20]
;;   ldp x23, x24, [sp, #0x30]
;;   ldr x25, [sp, #0x40]
;;   ldp x29, x30, [sp], #0x50
;;   ret
;; L3:
;;   bl L12                                      ; memory.copy
;; L4:
;;   bl L12                                      ; memory.copy
;; L5:
;;   bl L12                                      ; memory.fill
;; L6:
;;   bl L12                                      ; memory.init 0
;; L7:
;;   bl L12                                      ; memory.init 0
;; L8:
;;   bl L11
;;   b L0
;; L9:
;;   bl L11                                      ; memory.copy
;;   b L1
;; L10:
;;   bl L11                                      ; memory.fill
;;   b L2
;; L11:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   br x16
;; L12:
;;   mov w16, #2
;;   ldr x17, [x28, #0x18]
;;   br x17

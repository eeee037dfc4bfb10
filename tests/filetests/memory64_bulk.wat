;; Ranges of a 64-bit memory and a 64-bit table: no sum that may wrap.

(module
  (memory i64 1)
  (memory 1)
  (table i64 4 funcref)
  (func (export "f") (param i64 i64 i32) (result i64)
    local.get 0
    local.get 2
    local.get 2
    memory.copy 0 1
    local.get 0
    local.get 2
    local.get 1
    memory.fill
    local.get 1
    ref.null func
    table.set 0
    i64.const 1
    memory.grow))

;; -- ir
;; function 0 (i64, i64, i32) -> (i64) {
;; block0(v0: i64, v1: i64, v2: i32):
;;   v3 = extend_u.i64 v2
;;   v4 = load_invariant.i64 [vmctx+112]
;;   v5 = load.i64 [v4+8]
;;   v6 = load_invariant.i64 [vmctx+120]
;;   v7 = load.i64 [v6+8]
;;   v8 = iadd.i64 v3, v3
;;   v9 = icmp.i64 gt_u v8, v7
;;   trap_if v9, memory_out_of_bounds
;;   v10 = icmp.i64 gt_u v3, v5
;;   trap_if v10, memory_out_of_bounds
;;   v11 = isub.i64 v5, v3
;;   v12 = icmp.i64 gt_u v0, v11
;;   trap_if v12, memory_out_of_bounds
;;   v13 = iadd.i64 memory_base, v0
;;   v14 = load_invariant.i64 [v6]
;;   v15 = iadd.i64 v14, v3
;;   v16 = load_invariant.i64 [vmctx+40]
;;   call_native v16(v13, v15, v3)
;;   poll
;;   v17 = load.i64 [v4+8]
;;   v18 = icmp.i64 gt_u v1, v17
;;   trap_if v18, memory_out_of_bounds
;;   v19 = isub.i64 v17, v1
;;   v20 = icmp.i64 gt_u v0, v19
;;   trap_if v20, memory_out_of_bounds
;;   v21 = load_invariant.i64 [vmctx+48]
;;   call_native v21(v13, v2, v1)
;;   poll
;;   v22 = load_invariant.i64 [vmctx+128]
;;   v23 = load.i64 [v22+8]
;;   v24 = icmp.i64 ge_u v1, v23
;;   trap_if v24, table_out_of_bounds
;;   v25 = load.i64 [v22]
;;   v26 = shl.i64 v1, 3:i64
;;   v27 = iadd.i64 v25, v26
;;   store.i64 [v27], 0:i64
;;   v28 = load_invariant.i64 [vmctx+32]
;;   v29: i64 = call_native v28(vmctx, 0:i64, 0:i64, 1:i64, 0:i64)
;;   v30 = load_invariant.i64 [vmctx]
;;   v31 = load.i64 [v30+72]
;;   v32 = icmp.i64 ne v31, 0:i64
;;   brif v32, block2, block1
;; block1:
;;   return v29
;; block2:
;;   unwind 2:i32
;; }

;; -- amd64
;; 436 bytes, frame of 64
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x40
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L10
;; L0:
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov r13, rdi
;;   mov rbx, rsi
;;   mov r12d, edx
;;   mov rax, qword ptr [r15 + 0x70]
;;   mov qword ptr [rbp - 0x40], rax
;;   mov rcx, qword ptr [rax + 8]
;;   mov rax, qword ptr [r15 + 0x78]
;;   lea rdx, [r12 + r12]
;;   cmp rdx, qword ptr [rax + 8]
;;   ja L4
;;   cmp r12, rcx
;;   ja L5
;;   sub rcx, r12
;;   cmp r13, rcx
;;   ja L6
;;   lea rdi, [r14 + r13]
;;   mov qword ptr [rbp - 0x38], rdi
;;   mov rax, qword ptr [rax]
;;   lea rsi, [rax + r12]
;;   mov rax, qword ptr [r15 + 0x28]
;;   mov edx, r12d
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.copy 0 1
;;   lea rsp, [rbp - 0x40]
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L11
;; L1:
;;   mov rax, qword ptr [rbp - 0x40]
;;   mov rax, qword ptr [rax + 8]
;;   cmp rbx, rax
;;   ja L7
;;   sub rax, rbx
;;   cmp r13, rax
;;   ja L8
;;   mov rax, qword ptr [r15 + 0x30]
;;   mov rdi, qword ptr [rbp - 0x38]
;;   mov esi, r12d
;;   mov rdx, rbx
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.fill
;;   lea rsp, [rbp - 0x40]
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L12
;; L2:
;;   mov rax, qword ptr [r15 + 0x80]
;;   cmp rbx, qword ptr [rax + 8]
;;   jae L9
;;   mov rax, qword ptr [rax]
;;   mov qword ptr [rax + rbx*8], 0
;;   mov rax, qword ptr [r15 + 0x20]
;;   mov rdi, r15
;;   xor esi, esi
;;   xor edx, edx
;;   mov ecx, 1
;;   xor r8d, r8d
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.grow
;;   lea rsp, [rbp - 0x40]
;;   mov rcx, qword ptr [r15]
;;   cmp qword ptr [rcx + 0x48], 0
;;   jne L3
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L3:
;;   mov r10d, 2
;;   mov r11, qword ptr [r15]
;;   lea rax, [rip]
;;   mov qword ptr [r11 + 0x28], rax             ; memory.grow
;;   mov qword ptr [r11 + 0x30], rbp
;;   mov rbp, qword ptr [r11 + 0x10]
;;   jmp qword ptr [r11 + 0x18]
;; L4:
;;   call L13                                    ; memory.copy 0 1
;; L5:
;;   call L13                                    ; memory.copy 0 1
;; L6:
;;   call L13                                    ; memory.copy 0 1
;; L7:
;;   call L13                                    ; memory.fill
;; L8:
;;   call L13                                    ; memory.fill
;; L9:
;;   call L14                                    ; table.set 0
;; L10:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L11:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; memory.copy 0 1
;;   jmp L1
;; L12:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; memory.fill
;;   jmp L2
;; L13:
;;   mov r11d, 2
;;   jmp qword ptr [r15 + 0x18]
;; L14:
;;   mov r11d, 3
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 464 bytes, frame of 48
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x40]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L11
;; L0:
;;   stp x19, x20, [sp, #0x10]
;;   stp x21, x22, [sp, #0x20]
;;   str x23, [sp, #0x30]
;;   mov x21, x0
;;   mov x19, x1
;;   mov x20, x2
;;   ldr x22, [x28, #0x70]
;;   ldr x0, [x22, #8]
;;   ldr x1, [x28, #0x78]
;;   ldr x2, [x1, #8]
;;   add x3, x20, x20
;;   cmp x3, x2
;;   b.hi L5
;;   cmp x20, x0
;;   b.hi L6
;;   sub x0, x0, x20
;;   cmp x21, x0
;;   b.hi L7
;;   add x23, x27, x21
;;   ldr x0, [x1]
;;   add x1, x0, x20
;;   ldr x8, [x28, #0x28]
;;   mov x0, x23
;;   mov x2, x20
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; memory.copy 0 1
;;   mov sp, x29
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L12
;; L1:
;;   ldr x0, [x22, #8]
;;   cmp x19, x0
;;   b.hi L8
;;   sub x0, x0, x19
;;   cmp x21, x0
;;   b.hi L9
;;   ldr x8, [x28, #0x30]
;;   mov x0, x23
;;   mov x1, x20
;;   mov x2, x19
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; memory.fill
;;   mov sp, x29
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L13
;; L2:
;;   ldr x0, [x28, #0x80]
;;   ldr x1, [x0, #8]
;;   cmp x19, x1
;;   b.hs L10
;;   ldr x0, [x0]
;;   str xzr, [x0, x19, lsl #3]
;;   ldr x8, [x28, #0x20]
;;   mov x0, x28
;;   mov w1, #0
;;   mov w2, #0
;;   mov w3, #1
;;   mov w4, #0
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; memory.grow
;;   mov sp, x29
;;   ldr x1, [x28]
;;   ldr x1, [x1, #0x48]
;;   cbnz x1, L3
;;   ldp x19, x20, [sp, #0x10]
;;   ldp x21, x22, [sp, #0x20]
;;   ldr x23, [sp, #0x30]
;;   ldp x29, x30, [sp], #0x40
;;   ret
;; L3:
;;   mov w9, #2
;;   ldr x16, [x28]
;; L4:
;;   adr x17, L4                                 ; memory.grow
;;   str x17, [x16, #0x28]
;;   str x29, [x16, #0x30]
;;   ldr x29, [x16, #0x10]
;;   ldr x16, [x16, #0x18]
;;   br x16
;; L5:
;;   bl L15                                      ; memory.copy 0 1
;; L6:
;;   bl L15                                      ; memory.copy 0 1
;; L7:
;;   bl L15                                      ; memory.copy 0 1
;; L8:
;;   bl L15                                      ; memory.fill
;; L9:
;;   bl L15                                      ; memory.fill
;; L10:
;;   bl L16                                      ; table.set 0
;; L11:
;;   bl L14
;;   b L0
;; L12:
;;   bl L14                                      ; memory.copy 0 1
;;   b L1
;; L13:
;;   bl L14                                      ; memory.fill
;;   b L2
;; L14:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   br x16
;; L15:
;;   mov w16, #2
;;   b L17
;; L16:
;;   mov w16, #3
;; L17:
;;   ldr x17, [x28, #0x18]
;;   br x17

;; The size is read, growing is a call of the runtime.

(module
  (memory 1)
  (func (export "f") (param i32) (result i32)
    memory.size
    local.get 0
    memory.grow
    i32.add))

;; -- ir
;; function 0 (i32) -> (i32) {
;; block0(v0: i32):
;;   v1 = load_invariant.i64 [vmctx+112]
;;   v2 = load.i64 [v1+8]
;;   v3 = shr_u.i64 v2, 16:i64
;;   v4 = wrap.i32 v3
;;   v5 = extend_u.i64 v0
;;   v6 = load_invariant.i64 [vmctx+32]
;;   v7: i64 = call_native v6(vmctx, 0:i64, 0:i64, v5, 0:i64)
;;   v8 = load_invariant.i64 [vmctx]
;;   v9 = load.i64 [v8+72]
;;   v10 = icmp.i64 ne v9, 0:i64
;;   brif v10, block2, block1
;; block1:
;;   v11 = wrap.i32 v7
;;   v12 = iadd.i32 v4, v11
;;   return v12
;; block2:
;;   unwind 2:i32
;; }

;; -- amd64
;; 148 bytes, frame of 32
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x20
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L2
;; L0:
;;   mov qword ptr [rbp - 0x20], rbx
;;   mov qword ptr [rbp - 0x18], r8
;;   mov qword ptr [rbp - 0x10], r9
;;   mov rax, qword ptr [r15 + 0x70]
;;   mov rax, qword ptr [rax + 8]
;;   mov rbx, rax
;;   shr rbx, 0x10
;;   mov rax, qword ptr [r15 + 0x20]
;;   mov ecx, edi
;;   mov rdi, r15
;;   xor esi, esi
;;   xor edx, edx
;;   xor r8d, r8d
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; memory.grow
;;   lea rsp, [rbp - 0x20]
;;   mov rcx, qword ptr [r15]
;;   cmp qword ptr [rcx + 0x48], 0
;;   jne L1
;;   add eax, ebx
;;   mov rbx, qword ptr [rbp - 0x20]
;;   mov r8, qword ptr [rbp - 0x18]
;;   mov r9, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L1:
;;   mov r10d, 2
;;   mov r11, qword ptr [r15]
;;   lea rax, [rip]
;;   mov qword ptr [r11 + 0x28], rax             ; memory.grow
;;   mov qword ptr [r11 + 0x30], rbp
;;   mov rbp, qword ptr [r11 + 0x10]
;;   jmp qword ptr [r11 + 0x18]
;; L2:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 172 bytes, frame of 16
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x20]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L0:
;;   str x19, [sp, #0x10]
;;   ldr x1, [x28, #0x70]
;;   ldr x1, [x1, #8]
;;   lsr x19, x1, #0x10
;;   ldr x8, [x28, #0x20]
;;   mov x3, x0
;;   mov x0, x28
;;   mov w1, #0
;;   mov w2, #0
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
;;   cbnz x1, L1
;;   add w0, w19, w0
;;   ldr x19, [sp, #0x10]
;;   ldp x29, x30, [sp], #0x20
;;   ret
;; L1:
;;   mov w9, #2
;;   ldr x16, [x28]
;; L2:
;;   adr x17, L2                                 ; memory.grow
;;   str x17, [x16, #0x28]
;;   str x29, [x16, #0x30]
;;   ldr x29, [x16, #0x10]
;;   ldr x16, [x16, #0x18]
;;   br x16
;; L3:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

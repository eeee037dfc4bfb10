;; The older encoding: a rethrow, and a throw that stays in the function.

(module
  (tag (param i32))
  (func (result i32)
    i32.const 5)
  (func (export "f") (param i32) (result i32)
    try (result i32)
      local.get 0
      if
        local.get 0
        throw 0
      end
      call 0
    catch 0
      i32.const 1
      i32.add
    catch_all
      rethrow 0
    end))

;; -- ir
;; function 1 (i32) -> (i32) {
;; block0(v0: i32):
;;   brif v0, block1, block5
;; block1:
;;   v1 = load_invariant.i64 [vmctx]
;;   v2 = load.i64 [v1+144]
;;   v3 = load.i64 [v1+152]
;;   v4 = isub.i64 v3, v2
;;   v5 = icmp.i64 lt_u v4, 16:i64
;;   brif v5, block2, block4
;; block2:
;;   v6 = load_invariant.i64 [vmctx+32]
;;   v7: i64 = call_native v6(vmctx, 4:i64, 16:i64, 0:i64, 0:i64)
;;   v8 = load.i64 [v1+72]
;;   v9 = icmp.i64 ne v8, 0:i64
;;   brif v9, block12, block3
;; block3:
;;   jump block4
;; block4:
;;   v10 = load.i64 [v1+144]
;;   v11 = iadd.i64 v10, 16:i64
;;   store.i64 [v1+144], v11
;;   v12 = load_invariant.i64 [vmctx+112]
;;   store.i64 [v10], v12
;;   v13 = extend_u.i64 v0
;;   store.i64 [v10+8], v13
;;   store.i64 [v1+136], v10
;;   jump block8
;; block5:
;;   v14: i32 = call 0()
;;   invoke block6, block7
;; block6:
;;   jump block11(v14)
;; block7:
;;   jump block8
;; block8:
;;   v15 = load_invariant.i64 [vmctx]
;;   v16 = load.i64 [v15+136]
;;   v17 = load.i64 [v16]
;;   v18 = load_invariant.i64 [vmctx+112]
;;   v19 = icmp.i64 eq v17, v18
;;   brif v19, block9, block10
;; block9:
;;   v20 = load.i32 [v16+8]
;;   v21 = iadd.i32 v20, 1:i32
;;   jump block11(v21)
;; block10:
;;   store.i64 [v15+136], v16
;;   throw
;; block11(v22: i32):
;;   return v22
;; block12:
;;   unwind 2:i32
;; }

;; -- amd64
;; 326 bytes, frame of 64
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x40
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L9
;; L0:
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov qword ptr [rbp - 8], r15
;;   mov qword ptr [rbp - 0x40], rdi
;;   cmp dword ptr [rbp - 0x40], 0
;;   je L3
;;   mov rax, qword ptr [r15]
;;   mov qword ptr [rbp - 0x38], rax
;;   mov rcx, qword ptr [rax + 0x98]
;;   sub rcx, qword ptr [rax + 0x90]
;;   cmp rcx, 0x10
;;   jb L1
;;   mov rax, qword ptr [rbp - 0x38]
;;   jmp L2
;; L1:
;;   mov rax, qword ptr [r15 + 0x20]
;;   mov rdi, r15
;;   mov esi, 4
;;   mov edx, 0x10
;;   xor ecx, ecx
;;   xor r8d, r8d
;;   mov r11, qword ptr [r15]
;;   mov qword ptr [r11], rsp
;;   mov rsp, qword ptr [r11 + 8]
;;   call rax                                    ; throw 0
;;   lea rsp, [rbp - 0x40]
;;   mov rax, qword ptr [rbp - 0x38]
;;   cmp qword ptr [rax + 0x48], 0
;;   jne L8
;; L2:
;;   mov rcx, qword ptr [rax + 0x90]
;;   lea rdx, [rcx + 0x10]
;;   mov qword ptr [rax + 0x90], rdx
;;   mov rdx, qword ptr [r15 + 0x70]
;;   mov qword ptr [rcx], rdx
;;   mov rdi, qword ptr [rbp - 0x40]
;;   mov qword ptr [rcx + 8], rdi
;;   mov qword ptr [rax + 0x88], rcx
;;   jmp L5
;; L3:
;;   call qword ptr [slot 0]                     ; call 0
;;   nop dword ptr [L4]
;;   jmp L7
;; L4:
;;   lea rsp, [rbp - 0x40]
;;   mov r15, qword ptr [rbp - 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; L5:
;;   mov rax, qword ptr [r15]
;;   mov rcx, qword ptr [rax + 0x88]
;;   mov rdx, qword ptr [r15 + 0x70]
;;   cmp qword ptr [rcx], rdx
;;   jne L6
;;   mov eax, dword ptr [rcx + 8]
;;   add eax, 1
;;   jmp L7
;; L6:
;;   mov qword ptr [rax + 0x88], rcx
;;   call qword ptr [r15 + 0x40]                 ; rethrow 0
;; L7:
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L8:
;;   mov r10d, 2
;;   mov r11, qword ptr [r15]
;;   lea rax, [rip]
;;   mov qword ptr [r11 + 0x28], rax             ; throw 0
;;   mov qword ptr [r11 + 0x30], rbp
;;   mov rbp, qword ptr [r11 + 0x10]
;;   jmp qword ptr [r11 + 0x18]
;; L9:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 344 bytes, frame of 96
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x70]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L10
;; L0:
;;   stp x19, x20, [sp, #0x20]
;;   stp x21, x22, [sp, #0x30]
;;   stp x23, x24, [sp, #0x40]
;;   stp x25, x26, [sp, #0x50]
;;   str x28, [sp, #0x60]
;;   str x0, [sp, #0x10]
;;   cbz w0, L3
;;   ldr x0, [x28]
;;   str x0, [sp, #0x18]
;;   ldr x1, [x0, #0x90]
;;   ldr x2, [x0, #0x98]
;;   sub x0, x2, x1
;;   cmp x0, #0x10
;;   b.lo L1
;;   ldr x0, [sp, #0x18]
;;   b L2
;; L1:
;;   ldr x8, [x28, #0x20]
;;   mov x0, x28
;;   mov w1, #4
;;   mov w2, #0x10
;;   mov w3, #0
;;   mov w4, #0
;;   ldr x16, [x28]
;;   mov x17, sp
;;   str x17, [x16]
;;   ldr x17, [x16, #8]
;;   mov sp, x17
;;   blr x8                                      ; throw 0
;;   mov sp, x29
;;   ldr x0, [sp, #0x18]
;;   ldr x1, [x0, #0x48]
;;   cbnz x1, L8
;; L2:
;;   ldr x1, [x0, #0x90]
;;   add x2, x1, #0x10
;;   str x2, [x0, #0x90]
;;   ldr x2, [x28, #0x70]
;;   str x2, [x1]
;;   ldr x2, [sp, #0x10]
;;   str x2, [x1, #8]
;;   str x1, [x0, #0x88]
;;   b L5
;; L3:
;;   adrp x16, slot 0
;;   ldr x17, [x16]
;;   blr x17                                     ; call 0
;;   adr xzr, L4
;;   b L7
;; L4:
;;   mov sp, x29
;;   ldr x28, [sp, #0x60]
;;   ldr x27, [x28, #0x10]
;; L5:
;;   ldr x0, [x28]
;;   ldr x1, [x0, #0x88]
;;   ldr x2, [x1]
;;   ldr x3, [x28, #0x70]
;;   cmp x2, x3
;;   b.ne L6
;;   ldr w0, [x1, #8]
;;   add w0, w0, #1
;;   b L7
;; L6:
;;   str x1, [x0, #0x88]
;;   ldr x16, [x28, #0x40]
;;   blr x16                                     ; rethrow 0
;; L7:
;;   ldp x19, x20, [sp, #0x20]
;;   ldp x21, x22, [sp, #0x30]
;;   ldp x23, x24, [sp, #0x40]
;;   ldp x25, x26, [sp, #0x50]
;;   ldp x29, x30, [sp], #0x70
;;   ret
;; L8:
;;   mov w9, #2
;;   ldr x16, [x28]
;; L9:
;;   adr x17, L9                                 ; throw 0
;;   str x17, [x16, #0x28]
;;   str x29, [x16, #0x30]
;;   ldr x29, [x16, #0x10]
;;   ldr x16, [x16, #0x18]
;;   br x16
;; L10:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

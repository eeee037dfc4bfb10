;; Calls that land: what the handler needs is stored where it is defined, and stays in a register for the way where nothing is
;; thrown.

(module
  (tag (param i32))
  (func (param i32) (result i32)
    local.get 0
    throw 0)
  (func (export "f") (param i32 i32) (result i32) (local i32)
    block (result i32)
      try_table (result i32) (catch 0 0)
        local.get 0
        call 0
        local.set 2
        local.get 1
        call 0
        local.get 2
        i32.add
        local.get 1
        i32.add
      end
      return
    end
    local.get 2
    i32.add
    local.get 0
    i32.add))

;; -- ir
;; function 1 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2: i32 = call 0(v0)
;;   invoke block1, block3
;; block1:
;;   v3: i32 = call 0(v1)
;;   invoke block2, block4
;; block2:
;;   v4 = iadd.i32 v3, v2
;;   v5 = iadd.i32 v4, v1
;;   jump block8
;; block3:
;;   jump block5(0:i32)
;; block4:
;;   jump block5(v2)
;; block5(v6: i32):
;;   v7 = load_invariant.i64 [vmctx]
;;   v8 = load.i64 [v7+136]
;;   v9 = load.i64 [v8]
;;   v10 = load_invariant.i64 [vmctx+112]
;;   v11 = icmp.i64 eq v9, v10
;;   brif v11, block6, block7
;; block6:
;;   v12 = load.i32 [v8+8]
;;   jump block9
;; block7:
;;   throw
;; block8:
;;   return v5
;; block9:
;;   v13 = iadd.i32 v12, v6
;;   v14 = iadd.i32 v13, v0
;;   return v14
;; }

;; -- amd64
;; 235 bytes, frame of 64
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x40
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L7
;; L0:
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov qword ptr [rbp - 8], r15
;;   mov ebx, edi
;;   mov qword ptr [rbp - 0x40], rdi
;;   mov r8d, esi
;;   mov edi, ebx
;;   call qword ptr [slot 0]                     ; call 0
;;   nop dword ptr [L1]
;;   mov r9d, eax
;;   mov qword ptr [rbp - 0x38], rax
;;   mov edi, r8d
;;   call qword ptr [slot 0]                     ; call 0
;;   nop dword ptr [L2]
;;   add eax, r9d
;;   add eax, r8d
;;   jmp L5
;; L1:
;;   lea rsp, [rbp - 0x40]
;;   mov r15, qword ptr [rbp - 8]
;;   mov r14, qword ptr [r15 + 0x10]
;;   mov rbx, qword ptr [rbp - 0x40]
;;   xor r9d, r9d
;;   jmp L3
;; L2:
;;   lea rsp, [rbp - 0x40]
;;   mov r15, qword ptr [rbp - 8]
;;   mov r14, qword ptr [r15 + 0x10]
;;   mov rbx, qword ptr [rbp - 0x40]
;;   mov r9, qword ptr [rbp - 0x38]
;; L3:
;;   mov rax, qword ptr [r15]
;;   mov rax, qword ptr [rax + 0x88]
;;   mov rcx, qword ptr [r15 + 0x70]
;;   cmp qword ptr [rax], rcx
;;   jne L4
;;   mov eax, dword ptr [rax + 8]
;;   jmp L6
;; L4:
;;   call qword ptr [r15 + 0x40]                 ; end
;; L5:
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L6:
;;   add eax, r9d
;;   add eax, ebx
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L7:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 276 bytes, frame of 96
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x70]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L7
;; L0:
;;   stp x19, x20, [sp, #0x20]
;;   stp x21, x22, [sp, #0x30]
;;   stp x23, x24, [sp, #0x40]
;;   stp x25, x26, [sp, #0x50]
;;   str x28, [sp, #0x60]
;;   mov x19, x0
;;   str x0, [sp, #0x10]
;;   mov x20, x1
;;   mov x0, x19
;;   adrp x16, slot 0
;;   ldr x17, [x16]
;;   blr x17                                     ; call 0
;;   adr xzr, L1
;;   mov x21, x0
;;   str x0, [sp, #0x18]
;;   mov x0, x20
;;   adrp x16, slot 0
;;   ldr x17, [x16]
;;   blr x17                                     ; call 0
;;   adr xzr, L2
;;   add w0, w0, w21
;;   add w0, w0, w20
;;   b L5
;; L1:
;;   mov sp, x29
;;   ldr x28, [sp, #0x60]
;;   ldr x27, [x28, #0x10]
;;   ldr x19, [sp, #0x10]
;;   mov w21, #0
;;   b L3
;; L2:
;;   mov sp, x29
;;   ldr x28, [sp, #0x60]
;;   ldr x27, [x28, #0x10]
;;   ldr x19, [sp, #0x10]
;;   ldr x21, [sp, #0x18]
;; L3:
;;   ldr x0, [x28]
;;   ldr x0, [x0, #0x88]
;;   ldr x1, [x0]
;;   ldr x2, [x28, #0x70]
;;   cmp x1, x2
;;   b.ne L4
;;   ldr w0, [x0, #8]
;;   b L6
;; L4:
;;   ldr x16, [x28, #0x40]
;;   blr x16                                     ; end
;; L5:
;;   ldp x19, x20, [sp, #0x20]
;;   ldp x21, x22, [sp, #0x30]
;;   ldp x23, x24, [sp, #0x40]
;;   ldp x25, x26, [sp, #0x50]
;;   ldp x29, x30, [sp], #0x70
;;   ret
;; L6:
;;   add w0, w0, w21
;;   add w0, w0, w19
;;   ldp x19, x20, [sp, #0x20]
;;   ldp x21, x22, [sp, #0x30]
;;   ldp x23, x24, [sp, #0x40]
;;   ldp x25, x26, [sp, #0x50]
;;   ldp x29, x30, [sp], #0x70
;;   ret
;; L7:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

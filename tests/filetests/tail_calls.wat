;; Tail calls: of the function itself, with words of the stack that are there already, and with more than there are.

(module
  (func (param i32 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64) local.get 9)
  (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64) local.get 13)
  (func (export "f") (param i32 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
    local.get 0
    i32.eqz
    if
      i32.const 1
      local.get 2
      local.get 1
      i64.const 5
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 2
      local.get 9
      return_call 0
    end
    local.get 0
    i32.const 1
    i32.eq
    if
      local.get 2
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      local.get 1
      return_call 1
    end
    local.get 0
    i32.const 1
    i32.sub
    local.get 2
    local.get 1
    local.get 3
    local.get 4
    local.get 5
    local.get 6
    local.get 7
    local.get 8
    i64.const 9
    return_call 2))

;; -- ir
;; function 2 (i32, i64, i64, i64, i64, i64, i64, i64, i64, i64) -> (i64) {
;; block0(v0: i32, v1: i64, v2: i64, v3: i64, v4: i64, v5: i64, v6: i64, v7: i64, v8: i64, v9: i64):
;;   brif v0, block2, block1
;; block1:
;;   return_call 0(1:i32, v2, v1, 5:i64, v1, v1, v1, v1, v2, v9)
;; block2:
;;   v10 = icmp.i32 eq v0, 1:i32
;;   brif v10, block3, block4
;; block3:
;;   return_call 1(v2, v1, v1, v1, v1, v1, v1, v1, v1, v1, v1, v1, v1, v1)
;; block4:
;;   v11 = iadd.i32 v0, -1:i32
;;   return_call 2(v11, v2, v1, v3, v4, v5, v6, v7, v8, 9:i64)
;; }

;; -- amd64
;; 430 bytes, frame of 128
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x80
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L9
;; L0:
;;   mov qword ptr [rbp - 0x20], rbx
;;   mov qword ptr [rbp - 0x18], r8
;;   mov qword ptr [rbp - 0x10], r9
;;   mov qword ptr [rbp - 8], r12
;; L1:
;;   mov r12, qword ptr [rbp + 0x38]
;;   mov r8, qword ptr [rbp + 0x30]
;;   mov rbx, qword ptr [rbp + 0x28]
;;   mov r10, qword ptr [rbp + 0x20]
;;   mov rax, qword ptr [rbp + 0x10]
;;   mov r9d, edi
;;   mov rdi, qword ptr [rbp + 0x18]
;;   test r9d, r9d
;;   jne L3
;;   mov qword ptr [rbp + 0x38], r12
;;   mov qword ptr [rbp + 0x30], rdx
;;   mov qword ptr [rbp + 0x28], rsi
;;   mov qword ptr [rbp + 0x20], rsi
;;   mov qword ptr [rbp + 0x18], rsi
;;   mov qword ptr [rbp + 0x10], rsi
;;   mov r11, rdx
;;   mov rdx, rsi
;;   mov rsi, r11
;;   mov edi, 1
;;   mov ecx, 5
;;   mov rbx, qword ptr [rbp - 0x20]
;;   mov r8, qword ptr [rbp - 0x18]
;;   mov r9, qword ptr [rbp - 0x10]
;;   mov r12, qword ptr [rbp - 8]
;;   leave
;;   mov r10, qword ptr [slot 0]
;;   cmp r10, qword ptr [r15 + 0x50]
;;   je L2
;;   jmp r10
;; L2:
;;   lea r11, [slot 0]
;;   jmp qword ptr [r15 + 0x58]
;; L3:
;;   cmp r9d, 1
;;   jne L7
;;   mov qword ptr [rsp + 0x48], rsi
;;   mov qword ptr [rsp + 0x40], rsi
;;   mov qword ptr [rsp + 0x38], rsi
;;   mov qword ptr [rsp + 0x30], rsi
;;   mov qword ptr [rsp + 0x28], rsi
;;   mov qword ptr [rsp + 0x20], rsi
;;   mov qword ptr [rsp + 0x18], rsi
;;   mov qword ptr [rsp + 0x10], rsi
;;   mov qword ptr [rsp + 8], rsi
;;   mov qword ptr [rsp], rsi
;;   mov rcx, rsi
;;   mov rdi, rdx
;;   mov rdx, rsi
;;   mov rbx, qword ptr [rbp - 0x20]
;;   mov r8, qword ptr [rbp - 0x18]
;;   mov r9, qword ptr [rbp - 0x10]
;;   mov r12, qword ptr [rbp - 8]
;;   mov r11, qword ptr [r15 + 0x48]
;;   cmp r11, qword ptr [rbp + 8]
;;   mov rax, qword ptr [rbp]
;;   je L4
;;   mov qword ptr [rbp - 8], r15
;;   mov qword ptr [rbp - 0x10], 0
;;   mov rax, rbp
;; L4:
;;   mov r11d, 0xa
;; L5:
;;   movsd xmm15, qword ptr [rsp + r11*8 - 8]
;;   movsd qword ptr [rax + r11*8 - 0x68], xmm15
;;   dec r11d
;;   jne L5
;;   lea rsp, [rax - 0x60]
;;   mov rbp, rax
;;   mov r11, qword ptr [r15 + 0x48]
;;   push r11
;;   mov r10, qword ptr [slot 1]
;;   cmp r10, qword ptr [r15 + 0x50]
;;   je L6
;;   jmp r10
;; L6:
;;   lea r11, [slot 1]
;;   jmp qword ptr [r15 + 0x58]
;; L7:
;;   add r9d, -1
;;   mov qword ptr [rbp + 0x30], r8
;;   mov qword ptr [rbp + 0x28], rbx
;;   mov qword ptr [rbp + 0x20], r10
;;   mov qword ptr [rbp + 0x18], rdi
;;   mov edi, r9d
;;   mov qword ptr [rbp + 0x10], rax
;;   mov r11, rdx
;;   mov rdx, rsi
;;   mov rsi, r11
;;   mov qword ptr [rbp + 0x38], 9
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L10
;; L8:
;;   jmp L1
;; L9:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L10:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; return_call 2
;;   jmp L8

;; -- arm64
;; 404 bytes, frame of 64
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   sub sp, sp, #0x40
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L9
;; L0:
;;   ldr x9, [x29, #0x18]
;;   mov x8, x0
;;   ldr x0, [x29, #0x10]
;;   cbnz w8, L3
;;   str x9, [x29, #0x18]
;;   str x2, [x29, #0x10]
;;   mov x7, x1
;;   mov x6, x1
;;   mov x5, x1
;;   mov x4, x1
;;   mov x16, x2
;;   mov x2, x1
;;   mov x1, x16
;;   mov w0, #1
;;   mov w3, #5
;;   mov sp, x29
;;   ldp x29, x30, [sp], #0x10
;;   adrp x10, slot 0
;; L1:
;;   ldr x9, [x10]
;;   ldr x11, [x28, #0x50]
;;   cmp x9, x11
;;   b.eq L2
;;   br x9
;; L2:
;;   adr x12, L1
;;   ldr x9, [x28, #0x58]
;;   br x9
;; L3:
;;   cmp w8, #1
;;   b.ne L7
;;   str x1, [sp, #0x28]
;;   str x1, [sp, #0x20]
;;   str x1, [sp, #0x18]
;;   str x1, [sp, #0x10]
;;   str x1, [sp, #8]
;;   str x1, [sp]
;;   mov x7, x1
;;   mov x6, x1
;;   mov x5, x1
;;   mov x4, x1
;;   mov x3, x1
;;   mov x0, x2
;;   mov x2, x1
;;   ldr x11, [x28, #0x48]
;;   ldp x9, x10, [x29]
;;   cmp x10, x11
;;   b.eq L4
;;   stp x9, x10, [x29]
;;   mov w13, #0
;;   stp x13, x28, [x29, #-0x10]
;;   add x9, x29, #0
;; L4:
;;   sub x13, x9, #0x40
;;   ldr x14, [sp, #0x28]
;;   str x14, [x13, #0x28]
;;   ldr x14, [sp, #0x20]
;;   str x14, [x13, #0x20]
;;   ldr x14, [sp, #0x18]
;;   str x14, [x13, #0x18]
;;   ldr x14, [sp, #0x10]
;;   str x14, [x13, #0x10]
;;   ldr x14, [sp, #8]
;;   str x14, [x13, #8]
;;   ldr x14, [sp]
;;   str x14, [x13]
;;   mov sp, x13
;;   mov x29, x9
;;   mov x30, x11
;;   adrp x10, slot 1
;; L5:
;;   ldr x9, [x10]
;;   ldr x11, [x28, #0x50]
;;   cmp x9, x11
;;   b.eq L6
;;   br x9
;; L6:
;;   adr x12, L5
;;   ldr x9, [x28, #0x58]
;;   br x9
;; L7:
;;   sub w8, w8, #1
;;   str x0, [x29, #0x10]
;;   mov x0, x8
;;   mov x16, x2
;;   mov x2, x1
;;   mov x1, x16
;;   mov w16, #9
;;   str x16, [x29, #0x18]
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L10
;; L8:
;;   b L0
;; L9:
;;   bl L11
;;   b L0
;; L10:
;;   bl L11                                      ; return_call 2
;;   b L8
;; L11:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   br x16

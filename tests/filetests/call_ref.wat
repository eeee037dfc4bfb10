;; Calls through references: one that may be null, and one that its type says is not.

(module
  (type (func (param i32) (result i32)))
  (func (export "f") (param (ref null 0) (ref 0) i32) (result i32)
    local.get 2
    local.get 0
    call_ref 0
    local.get 1
    call_ref 0
    local.get 0
    call_ref 0))

;; -- ir
;; function 0 (i64, i64, i32) -> (i32) {
;; block0(v0: i64, v1: i64, v2: i32):
;;   v3 = icmp.i64 eq v0, 0:i64
;;   trap_if v3, null_function
;;   v4: i32 = call_ref v0(v2)
;;   v5: i32 = call_ref v1(v4)
;;   v6: i32 = call_ref v0(v5)
;;   return v6
;; }

;; -- amd64
;; 131 bytes, frame of 32
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
;;   mov qword ptr [rbp - 0x10], r15
;;   mov rbx, rdi
;;   mov r8, rsi
;;   test rbx, rbx
;;   je L1
;;   mov r10, rbx
;;   mov edi, edx
;;   call qword ptr [r10]                        ; call_ref 0
;;   mov r15, qword ptr [rbp - 0x10]
;;   mov r14, qword ptr [r15 + 0x10]
;;   mov r10, r8
;;   mov edi, eax
;;   call qword ptr [r10]                        ; call_ref 0
;;   mov r15, qword ptr [rbp - 0x10]
;;   mov r14, qword ptr [r15 + 0x10]
;;   mov r10, rbx
;;   mov edi, eax
;;   call qword ptr [r10]                        ; call_ref 0
;;   mov r15, qword ptr [rbp - 0x10]
;;   mov r14, qword ptr [r15 + 0x10]
;;   mov rbx, qword ptr [rbp - 0x20]
;;   mov r8, qword ptr [rbp - 0x18]
;;   leave
;;   ret
;; L1:
;;   call L3                                     ; call_ref 0
;; L2:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L3:
;;   mov r11d, 0xe
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 156 bytes, frame of 32
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x30]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L2
;; L0:
;;   stp x19, x20, [sp, #0x10]
;;   str x28, [sp, #0x20]
;;   mov x19, x0
;;   mov x20, x1
;;   cbz x19, L1
;;   mov x15, x19
;;   mov x0, x2
;;   ldr x16, [x15]
;;   blr x16                                     ; call_ref 0
;;   ldr x28, [sp, #0x20]
;;   ldr x27, [x28, #0x10]
;;   mov x15, x20
;;   ldr x16, [x15]
;;   blr x16                                     ; call_ref 0
;;   ldr x28, [sp, #0x20]
;;   ldr x27, [x28, #0x10]
;;   mov x15, x19
;;   ldr x16, [x15]
;;   blr x16                                     ; call_ref 0
;;   ldr x28, [sp, #0x20]
;;   ldr x27, [x28, #0x10]
;;   ldp x19, x20, [sp, #0x10]
;;   ldp x29, x30, [sp], #0x30
;;   ret
;; L1:
;;   bl L3                                       ; call_ref 0
;; L2:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0
;; L3:
;;   mov w16, #0xe
;;   ldr x17, [x28, #0x18]
;;   br x17

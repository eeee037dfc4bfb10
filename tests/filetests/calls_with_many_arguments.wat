;; Arguments and results beyond the registers travel on the stack.

(module
  (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64) (result i64 i64)
    local.get 9
    local.get 8
    i64.extend_i32_u)
  (func (export "f") (param i32 i64) (result i64)
    local.get 0
    local.get 0
    local.get 0
    local.get 0
    local.get 0
    local.get 0
    local.get 0
    local.get 0
    local.get 0
    local.get 1
    call 0
    drop))

;; -- ir
;; function 1 (i32, i64) -> (i64) {
;; block0(v0: i32, v1: i64):
;;   v2: i64, v3: i64 = call 0(v0, v0, v0, v0, v0, v0, v0, v0, v0, v1)
;;   return v2
;; }

;; -- amd64
;; 74 bytes, frame of 48
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x30
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L1
;; L0:
;;   mov qword ptr [rsp + 0x28], rsi
;;   mov esi, edi
;;   mov qword ptr [rsp + 0x20], rdi
;;   mov qword ptr [rsp + 0x18], rdi
;;   mov qword ptr [rsp + 0x10], rdi
;;   mov qword ptr [rsp + 8], rdi
;;   mov qword ptr [rsp], rdi
;;   mov ecx, edi
;;   mov edx, edi
;;   call qword ptr [slot 0]                     ; call 0
;;   leave
;;   ret
;; L1:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 108 bytes, frame of 16
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   sub sp, sp, #0x10
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L1
;; L0:
;;   str x1, [sp, #8]
;;   mov x1, x0
;;   str x0, [sp]
;;   mov x7, x0
;;   mov x6, x0
;;   mov x5, x0
;;   mov x4, x0
;;   mov x3, x0
;;   mov x2, x0
;;   adrp x16, slot 0
;;   ldr x17, [x16]
;;   blr x17                                     ; call 0
;;   mov sp, x29
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L1:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

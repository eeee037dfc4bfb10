;; The remainder traps for zero only; that of the smallest number by -1 is 0.

(module
  (func (export "f") (param i64 i64) (result i64)
    local.get 0
    local.get 1
    i64.rem_s))

;; -- ir
;; function 0 (i64, i64) -> (i64) {
;; block0(v0: i64, v1: i64):
;;   v2 = rem_s.i64 v0, v1
;;   return v2
;; }

;; -- amd64
;; 59 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov rax, rdi
;;   test rsi, rsi
;;   je L2
;;   cmp rsi, -1
;;   jne L0
;;   xor edx, edx
;;   jmp L1
;; L0:
;;   cqo
;;   idiv rsi
;; L1:
;;   mov rax, rdx
;;   pop rbp
;;   ret
;; L2:
;;   call L3                                     ; i64.rem_s
;; L3:
;;   mov r11d, 7
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 52 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   cbz x1, L0
;;   sdiv x16, x0, x1
;;   msub x0, x16, x1, x0
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   bl L1                                       ; i64.rem_s
;; L1:
;;   mov w16, #7
;;   ldr x17, [x28, #0x18]
;;   br x17

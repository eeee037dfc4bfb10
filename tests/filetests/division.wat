;; Signed division traps twice: by zero, and when the quotient does not fit.

(module
  (func (export "f") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.div_s))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = div_s.i32 v0, v1
;;   return v2
;; }

;; -- amd64
;; 71 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov eax, edi
;;   test esi, esi
;;   je L1
;;   cmp esi, -1
;;   jne L0
;;   cmp eax, 1
;;   jo L2
;; L0:
;;   cdq
;;   idiv esi
;;   pop rbp
;;   ret
;; L1:
;;   call L3                                     ; i32.div_s
;; L2:
;;   call L4                                     ; i32.div_s
;; L3:
;;   mov r11d, 7
;;   jmp qword ptr [r15 + 0x18]
;; L4:
;;   mov r11d, 8
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 72 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   cbz w1, L0
;;   cmn w1, #1
;;   ccmp w0, #1, #0, eq
;;   b.vs L1
;;   sdiv w0, w0, w1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   bl L2                                       ; i32.div_s
;; L1:
;;   bl L3                                       ; i32.div_s
;; L2:
;;   mov w16, #7
;;   b L4
;; L3:
;;   mov w16, #8
;; L4:
;;   ldr x17, [x28, #0x18]
;;   br x17

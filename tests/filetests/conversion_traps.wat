;; Out of range and NaN trap, with different messages.

(module
  (func (export "f") (param f64) (result i32)
    local.get 0
    i32.trunc_f64_s))

;; -- ir
;; function 0 (f64) -> (i32) {
;; block0(v0: f64):
;;   v1 = ftoi_s.i32 v0
;;   return v1
;; }

;; -- amd64
;; 104 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   cvttsd2si eax, xmm0
;;   cmp eax, 1
;;   jno L0
;;   ucomisd xmm0, xmm0
;;   jp L1
;;   ucomisd xmm0, qword ptr [L5]
;;   jbe L2
;;   xorps xmm15, xmm15
;;   ucomisd xmm0, xmm15
;;   jae L2
;; L0:
;;   pop rbp
;;   ret
;; L1:
;;   call L3                                     ; i32.trunc_f64_s
;; L2:
;;   call L4                                     ; i32.trunc_f64_s
;; L3:
;;   mov r11d, 9
;;   jmp qword ptr [r15 + 0x18]
;; L4:
;;   mov r11d, 8
;;   jmp qword ptr [r15 + 0x18]
;; L5:
;;   00002000 0000e0c1

;; -- arm64
;; 76 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   fcmp d0, d0
;;   b.vs L0
;;   fcvtzs x0, d0
;;   cmp x0, w0, sxtw
;;   b.ne L1
;;   mov w0, w0
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   bl L2                                       ; i32.trunc_f64_s
;; L1:
;;   bl L3                                       ; i32.trunc_f64_s
;; L2:
;;   mov w16, #9
;;   b L4
;; L3:
;;   mov w16, #8
;; L4:
;;   ldr x17, [x28, #0x18]
;;   br x17

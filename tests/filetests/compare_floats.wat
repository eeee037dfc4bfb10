;; A comparison with NaN is false, whichever way round it is used.

(module
  (func (export "f") (param f64 f64) (result i32)
    local.get 0
    local.get 1
    f64.lt
    if
      i32.const 1
      return
    end
    local.get 0
    local.get 1
    f64.eq))

;; -- ir
;; function 0 (f64, f64) -> (i32) {
;; block0(v0: f64, v1: f64):
;;   v2 = fcmp.f64 lt v0, v1
;;   brif v2, block1, block2
;; block1:
;;   return 1:i32
;; block2:
;;   v3 = fcmp.f64 eq v0, v1
;;   return v3
;; }

;; -- amd64
;; 43 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   ucomisd xmm1, xmm0
;;   jbe L0
;;   mov eax, 1
;;   pop rbp
;;   ret
;; L0:
;;   xor eax, eax
;;   ucomisd xmm0, xmm1
;;   setnp r11b
;;   sete al
;;   and al, r11b
;;   pop rbp
;;   ret

;; -- arm64
;; 52 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   fcmp d0, d1
;;   b.pl L0
;;   mov w0, #1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   fcmp d0, d1
;;   cset w0, eq
;;   ldp x29, x30, [sp], #0x10
;;   ret

;; Constants: zero, one that an instruction holds, one that needs 8 bytes; negation and square root.

(module
  (func (export "f") (param f64) (result f64)
    local.get 0
    f64.const 0.0
    f64.add
    f64.const 2.0
    f64.mul
    f64.const 3.141592653589793
    f64.sub
    f64.abs
    f64.sqrt
    f64.neg))

;; -- ir
;; function 0 (f64) -> (f64) {
;; block0(v0: f64):
;;   v1 = fadd.f64 v0, 0.0:f64
;;   v2 = fmul.f64 v1, 2.0:f64
;;   v3 = fsub.f64 v2, 3.141592653589793:f64
;;   v4 = fabs.f64 v3
;;   v5 = fsqrt.f64 v4
;;   v6 = fneg.f64 v5
;;   return v6
;; }

;; -- amd64
;; 112 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   xorps xmm1, xmm1
;;   addsd xmm0, xmm1
;;   mulsd xmm0, qword ptr [L2]
;;   subsd xmm0, qword ptr [L3]
;;   andps xmm0, xmmword ptr [L0]
;;   sqrtsd xmm0, xmm0
;;   xorps xmm0, xmmword ptr [L1]
;;   pop rbp
;;   ret
;; L0:
;;   ffffffff ffffff7f ffffffff ffffff7f
;; L1:
;;   00000000 00000080 00000000 00000080
;; L2:
;;   00000000 00000040
;; L3:
;;   182d4454 fb210940

;; -- arm64
;; 72 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   movi d1, #0000000000000000
;;   fadd d0, d0, d1
;;   fmov d1, #2.00000000
;;   fmul d0, d0, d1
;;   ldr d1, L0
;;   fsub d0, d0, d1
;;   fabs d0, d0
;;   fsqrt d0, d0
;;   fneg d0, d0
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   182d4454 fb210940

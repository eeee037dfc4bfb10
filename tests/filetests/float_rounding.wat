;; Rounding, and the sign of another number.

(module
  (func (export "f") (param f64 f64) (result f64)
    local.get 0
    f64.nearest
    local.get 0
    f64.floor
    f64.add
    local.get 1
    f64.copysign))

;; -- ir
;; function 0 (f64, f64) -> (f64) {
;; block0(v0: f64, v1: f64):
;;   v2 = fnearest.f64 v0
;;   v3 = ffloor.f64 v0
;;   v4 = fadd.f64 v2, v3
;;   v5 = fcopysign.f64 v4, v1
;;   return v5
;; }

;; -- amd64
;; 96 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   xorps xmm2, xmm2
;;   roundsd xmm2, xmm0, 8
;;   roundsd xmm0, xmm0, 9
;;   addsd xmm2, xmm0
;;   movaps xmm0, xmm2
;;   movaps xmm15, xmm1
;;   andps xmm15, xmmword ptr [L0]
;;   andps xmm0, xmmword ptr [L1]
;;   orps xmm0, xmm15
;;   pop rbp
;;   ret
;; L0:
;;   00000000 00000080 00000000 00000080
;; L1:
;;   ffffffff ffffff7f ffffffff ffffff7f

;; -- arm64
;; 44 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   frintn d2, d0
;;   frintm d0, d0
;;   fadd d0, d2, d0
;;   ushr d31, d1, #0x3f
;;   sli d0, d31, #0x3f
;;   ldp x29, x30, [sp], #0x10
;;   ret

;; NaN wins, and -0 is less than 0: not what every instruction called min does.

(module
  (func (export "f") (param f32 f32 f64 f64) (result f64)
    local.get 0
    local.get 1
    f32.min
    f64.promote_f32
    local.get 2
    local.get 3
    f64.max
    f64.add))

;; -- ir
;; function 0 (f32, f32, f64, f64) -> (f64) {
;; block0(v0: f32, v1: f32, v2: f64, v3: f64):
;;   v4 = fmin.f32 v0, v1
;;   v5 = promote.f64 v4
;;   v6 = fmax.f64 v2, v3
;;   v7 = fadd.f64 v5, v6
;;   return v7
;; }

;; -- amd64
;; 67 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   ucomiss xmm0, xmm1
;;   jne L1
;;   jp L0
;;   orps xmm0, xmm1
;;   jmp L2
;; L0:
;;   addss xmm0, xmm1
;;   jmp L2
;; L1:
;;   minss xmm0, xmm1
;; L2:
;;   cvtss2sd xmm0, xmm0
;;   ucomisd xmm2, xmm3
;;   jne L4
;;   jp L3
;;   andps xmm2, xmm3
;;   jmp L5
;; L3:
;;   addsd xmm2, xmm3
;;   jmp L5
;; L4:
;;   maxsd xmm2, xmm3
;; L5:
;;   addsd xmm0, xmm2
;;   pop rbp
;;   ret

;; -- arm64
;; 40 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   fmin s0, s0, s1
;;   fcvt d0, s0
;;   fmax d1, d2, d3
;;   fadd d0, d0, d1
;;   ldp x29, x30, [sp], #0x10
;;   ret

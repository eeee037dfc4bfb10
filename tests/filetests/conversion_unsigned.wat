;; Unsigned numbers of 64 bits, both ways; saturating.

(module
  (func (export "f") (param i64 f32) (result f64)
    local.get 0
    f64.convert_i64_u
    local.get 1
    i64.trunc_sat_f32_u
    f64.convert_i64_s
    f64.add))

;; -- ir
;; function 0 (i64, f32) -> (f64) {
;; block0(v0: i64, v1: f32):
;;   v2 = itof_u.f64 v0
;;   v3 = ftoi_sat_u.i64 v1
;;   v4 = itof_s.f64 v3
;;   v5 = fadd.f64 v2, v4
;;   return v5
;; }

;; -- amd64
;; 140 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   xorps xmm1, xmm1
;;   test rdi, rdi
;;   js L0
;;   cvtsi2sd xmm1, rdi
;;   jmp L1
;; L0:
;;   mov rax, rdi
;;   shr rax, 1
;;   mov r11d, edi
;;   and r11d, 1
;;   or rax, r11
;;   cvtsi2sd xmm1, rax
;;   addsd xmm1, xmm1
;; L1:
;;   cvttss2si rax, xmm0
;;   test rax, rax
;;   jns L4
;;   xorps xmm15, xmm15
;;   ucomiss xmm0, xmm15
;;   ja L2
;;   xor eax, eax
;;   jmp L4
;; L2:
;;   movaps xmm15, xmm0
;;   subss xmm15, dword ptr [L5]
;;   cvttss2si rax, xmm15
;;   test rax, rax
;;   js L3
;;   movabs r11, 0x8000000000000000
;;   or rax, r11
;;   jmp L4
;; L3:
;;   mov rax, 0xffffffffffffffff
;; L4:
;;   xorps xmm0, xmm0
;;   cvtsi2sd xmm0, rax
;;   addsd xmm0, xmm1
;;   pop rbp
;;   ret
;; L5:
;;   0000005f

;; -- arm64
;; 40 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ucvtf d1, x0
;;   fcvtzu x0, s0
;;   scvtf d0, x0
;;   fadd d0, d1, d0
;;   ldp x29, x30, [sp], #0x10
;;   ret

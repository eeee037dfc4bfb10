;; Choices without branches.

(module
  (func (export "f") (param i32 i32 f64 f64) (result f64)
    local.get 0
    local.get 1
    local.get 0
    local.get 1
    i32.gt_s
    select
    i32.const 1
    i32.const 0
    local.get 1
    select
    i32.add
    f64.convert_i32_s
    local.get 2
    local.get 3
    local.get 2
    local.get 3
    f64.gt
    select (result f64)
    f64.add))

;; -- ir
;; function 0 (i32, i32, f64, f64) -> (f64) {
;; block0(v0: i32, v1: i32, v2: f64, v3: f64):
;;   v4 = icmp.i32 gt_s v0, v1
;;   v5 = select.i32 v4, v0, v1
;;   v6 = select.i32 v1, 1:i32, 0:i32
;;   v7 = iadd.i32 v5, v6
;;   v8 = itof_s.f64 v7
;;   v9 = fcmp.f64 gt v2, v3
;;   v10 = select.f64 v9, v2, v3
;;   v11 = fadd.f64 v8, v10
;;   return v11
;; }

;; -- amd64
;; 58 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov eax, esi
;;   cmp edi, esi
;;   cmovg eax, edi
;;   mov ecx, 1
;;   xor edx, edx
;;   test esi, esi
;;   cmovne edx, ecx
;;   add eax, edx
;;   xorps xmm2, xmm2
;;   cvtsi2sd xmm2, eax
;;   ucomisd xmm0, xmm1
;;   jbe L0
;;   movaps xmm1, xmm0
;; L0:
;;   movaps xmm0, xmm2
;;   addsd xmm0, xmm1
;;   pop rbp
;;   ret

;; -- arm64
;; 60 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   cmp w0, w1
;;   csel w0, w0, w1, gt
;;   cmp w1, #0
;;   cset w1, ne
;;   add w0, w0, w1
;;   scvtf d2, w0
;;   fcmp d0, d1
;;   fcsel d0, d0, d1, gt
;;   fadd d0, d2, d0
;;   ldp x29, x30, [sp], #0x10
;;   ret

;; Products that are added up, lanes made wider and narrower, shifts by counts that are not known.

(module
  (func (export "f") (param v128 v128 i32) (result v128)
    local.get 0
    local.get 1
    i32x4.dot_i16x8_s
    local.get 0
    local.get 1
    i32x4.mul
    i32x4.add
    local.get 0
    i16x8.extend_low_i8x16_s
    local.get 1
    i16x8.extend_high_i8x16_s
    i16x8.mul
    i32x4.extadd_pairwise_i16x8_s
    i32x4.add
    local.get 2
    i32x4.shr_s
    local.get 0
    local.get 1
    i64x2.mul
    i16x8.narrow_i32x4_s))

;; -- ir
;; function 0 (v128, v128, i32) -> (v128) {
;; block0(v0: v128, v1: v128, v2: i32):
;;   v3 = v_dot.i32x4 v0, v1
;;   v4 = v_mul.i32x4 v0, v1
;;   v5 = v_add.i32x4 v3, v4
;;   v6 = v_extend_s.i16x8 low v0
;;   v7 = v_extend_s.i16x8 high v1
;;   v8 = v_mul.i16x8 v6, v7
;;   v9 = v_extadd_s.i32x4 v8
;;   v10 = v_add.i32x4 v5, v9
;;   v11 = v_shr_s.i32x4 v10, v2
;;   v12 = v_mul.i64x2 v0, v1
;;   v13 = v_narrow_s.i16x8 v11, v12
;;   return v13
;; }

;; -- amd64
;; 144 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   movaps xmm2, xmm0
;;   pmaddwd xmm2, xmm1
;;   movaps xmm3, xmm0
;;   pmulld xmm3, xmm1
;;   paddd xmm2, xmm3
;;   pmovsxbw xmm3, xmm0
;;   pshufd xmm4, xmm1, 0xee
;;   pmovsxbw xmm4, xmm4
;;   pmullw xmm3, xmm4
;;   pmaddwd xmm3, xmmword ptr [L0]
;;   paddd xmm2, xmm3
;;   and edi, 0x1f
;;   movd xmm3, edi
;;   psrad xmm2, xmm3
;;   movaps xmm3, xmm0
;;   psrlq xmm3, 0x20
;;   pmuludq xmm3, xmm1
;;   movaps xmm4, xmm1
;;   psrlq xmm4, 0x20
;;   pmuludq xmm4, xmm0
;;   pmuludq xmm0, xmm1
;;   paddq xmm3, xmm4
;;   psllq xmm3, 0x20
;;   paddq xmm3, xmm0
;;   movaps xmm0, xmm2
;;   packssdw xmm0, xmm3
;;   pop rbp
;;   ret
;; L0:
;;   01000100 01000100 01000100 01000100

;; -- arm64
;; 108 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   smull v2.4s, v0.4h, v1.4h
;;   smull2 v3.4s, v0.8h, v1.8h
;;   addp v2.4s, v2.4s, v3.4s
;;   mla v2.4s, v0.4s, v1.4s
;;   sshll v3.8h, v0.8b, #0
;;   sshll2 v4.8h, v1.16b, #0
;;   mul v3.8h, v3.8h, v4.8h
;;   sadalp v2.4s, v3.8h
;;   and w0, w0, #0x1f
;;   neg w0, w0
;;   dup v3.4s, w0
;;   sshl v2.4s, v2.4s, v3.4s
;;   rev64 v3.4s, v1.4s
;;   xtn v1.2s, v1.2d
;;   mul v3.4s, v3.4s, v0.4s
;;   uaddlp v3.2d, v3.4s
;;   shl v3.2d, v3.2d, #0x20
;;   xtn v0.2s, v0.2d
;;   umlal v3.2d, v0.2s, v1.2s
;;   sqxtn v0.4h, v2.4s
;;   sqxtn2 v0.8h, v3.4s
;;   ldp x29, x30, [sp], #0x10
;;   ret

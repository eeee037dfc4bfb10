;; Masks, selections, constants that instructions have room for and others, rotations.

(module
  (func (export "f") (param v128 v128) (result v128)
    local.get 0
    local.get 1
    local.get 0
    local.get 1
    f32x4.lt
    v128.bitselect
    local.get 0
    v128.const i32x4 0xff 0xff 0xff 0xff
    v128.and
    v128.xor
    local.get 1
    v128.const i32x4 0x08040201 0x80402010 0x08040201 0x80402010
    v128.andnot
    v128.or
    local.get 1
    i32.const 7
    i32x4.shl
    local.get 1
    i32.const 25
    i32x4.shr_u
    v128.or
    v128.xor))

;; -- ir
;; function 0 (v128, v128) -> (v128) {
;; block0(v0: v128, v1: v128):
;;   v2 = v_fcmp.f32x4 lt v0, v1
;;   v3 = v_bitselect v0, v1, v2
;;   v4 = and.v128 v0, 0xff000000ff000000ff000000ff:v128
;;   v5 = xor.v128 v3, v4
;;   v6 = and.v128 v1, 0x7fbfdfeff7fbfdfe7fbfdfeff7fbfdfe:v128
;;   v7 = or.v128 v5, v6
;;   v8 = v_shl.i32x4 v1, 7:i32
;;   v9 = v_shr_u.i32x4 v1, 25:i32
;;   v10 = or.v128 v8, v9
;;   v11 = xor.v128 v7, v10
;;   return v11
;; }

;; -- amd64
;; 128 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   movaps xmm2, xmm0
;;   cmpltps xmm2, xmm1
;;   movaps xmm3, xmm0
;;   pand xmm3, xmm2
;;   pandn xmm2, xmm1
;;   por xmm3, xmm2
;;   pand xmm0, xmmword ptr [L0]
;;   pxor xmm3, xmm0
;;   movaps xmm0, xmm1
;;   pand xmm0, xmmword ptr [L1]
;;   por xmm3, xmm0
;;   movaps xmm0, xmm1
;;   pslld xmm0, 7
;;   psrld xmm1, 0x19
;;   por xmm0, xmm1
;;   pxor xmm0, xmm3
;;   pop rbp
;;   ret
;; L0:
;;   ff000000 ff000000 ff000000 ff000000
;; L1:
;;   fefdfbf7 efdfbf7f fefdfbf7 efdfbf7f

;; -- arm64
;; 96 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   fcmgt v2.4s, v1.4s, v0.4s
;;   bsl v2.16b, v0.16b, v1.16b
;;   movi v3.4s, #0xff
;;   and v0.16b, v3.16b, v0.16b
;;   eor v0.16b, v2.16b, v0.16b
;;   ldr q2, L0
;;   and v2.16b, v2.16b, v1.16b
;;   orr v0.16b, v0.16b, v2.16b
;;   shl v2.4s, v1.4s, #7
;;   sri v2.4s, v1.4s, #0x19
;;   eor v0.16b, v0.16b, v2.16b
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   fefdfbf7 efdfbf7f fefdfbf7 efdfbf7f

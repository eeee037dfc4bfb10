;; Bytes moved: what machines have an instruction for, what is a table.

(module
  (func (export "f") (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23
    local.get 0
    local.get 1
    i8x16.shuffle 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
    i8x16.add
    local.get 1
    local.get 1
    i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11
    i8x16.add
    local.get 1
    local.get 1
    i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12
    i8x16.add
    local.get 0
    local.get 1
    i8x16.shuffle 0 31 2 30 4 29 6 28 8 27 10 26 12 25 14 24
    i8x16.add
    local.get 0
    v128.const i32x4 0 0 0 0
    i8x16.shuffle 0 1 2 3 16 16 16 16 4 5 6 7 16 16 16 16
    i8x16.add))

;; -- ir
;; function 0 (v128, v128) -> (v128) {
;; block0(v0: v128, v1: v128):
;;   v2 = v_shuffle [0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23] v0, v1
;;   v3 = v_shuffle [5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20] v0, v1
;;   v4 = v_add.i8x16 v2, v3
;;   v5 = v_shuffle [8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11] v1, v1
;;   v6 = v_add.i8x16 v4, v5
;;   v7 = v_shuffle [3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12] v1, v1
;;   v8 = v_add.i8x16 v6, v7
;;   v9 = v_shuffle [0 31 2 30 4 29 6 28 8 27 10 26 12 25 14 24] v0, v1
;;   v10 = v_add.i8x16 v8, v9
;;   v11 = v_shuffle [0 1 2 3 16 16 16 16 4 5 6 7 16 16 16 16] v0, 0x0:v128
;;   v12 = v_add.i8x16 v10, v11
;;   return v12
;; }

;; -- amd64
;; 160 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   movaps xmm2, xmm0
;;   punpcklbw xmm2, xmm1
;;   movaps xmm3, xmm1
;;   palignr xmm3, xmm0, 5
;;   paddb xmm2, xmm3
;;   pshufd xmm3, xmm1, 0xaa
;;   paddb xmm2, xmm3
;;   movaps xmm3, xmm1
;;   pshufb xmm3, xmmword ptr [L0]
;;   paddb xmm2, xmm3
;;   movaps xmm3, xmm0
;;   pshufb xmm3, xmmword ptr [L1]
;;   pshufb xmm1, xmmword ptr [L2]
;;   por xmm3, xmm1
;;   paddb xmm2, xmm3
;;   pmovzxdq xmm0, xmm0
;;   paddb xmm0, xmm2
;;   pop rbp
;;   ret
;; L0:
;;   03020100 07060504 0b0a0908 0f0e0d0c
;; L1:
;;   00800280 04800680 08800a80 0c800e80
;; L2:
;;   800f800e 800d800c 800b800a 80098008

;; -- arm64
;; 96 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   zip1 v2.16b, v0.16b, v1.16b
;;   ext v3.16b, v0.16b, v1.16b, #5
;;   add v2.16b, v2.16b, v3.16b
;;   dup v3.4s, v1.s[2]
;;   add v2.16b, v2.16b, v3.16b
;;   rev32 v3.16b, v1.16b
;;   add v2.16b, v2.16b, v3.16b
;;   ldr q3, L0
;;   mov v29.16b, v0.16b
;;   mov v30.16b, v1.16b
;;   tbl v1.16b, {v29.16b, v30.16b}, v3.16b
;;   add v1.16b, v2.16b, v1.16b
;;   ushll v0.2d, v0.2s, #0
;;   add v0.16b, v1.16b, v0.16b
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   001f021e 041d061c 081b0a1a 0c190e18

;; What newer processors have: three operands, loads as operands, fused products, lanes chosen by a mask.
;; features: avx avx2 fma asimddp

(module
  (memory 1)
  (func (export "f") (param i32 v128 v128) (result v128)
    local.get 1
    local.get 0
    v128.load offset=16
    f32x4.add
    local.get 2
    f32x4.mul
    local.get 0
    v128.load32_splat offset=4
    f32x4.sub
    local.get 0
    v128.load8_splat
    local.get 1
    local.get 1
    local.get 2
    f32x4.lt
    v128.bitselect
    v128.xor
    local.get 2
    i32x4.all_true
    i32x4.splat
    i32x4.add))

;; -- ir
;; function 0 (i32, v128, v128) -> (v128) {
;; block0(v0: i32, v1: v128, v2: v128):
;;   v3 = extend_u.i64 v0
;;   v4 = iadd.i64 memory_base, v3
;;   v5 = heap_load.v128 [v4+16]
;;   v6 = v_fadd.f32x4 v1, v5
;;   v7 = v_fmul.f32x4 v6, v2
;;   v8 = heap_load.f32 [v4+4]
;;   v9 = v_splat.f32x4 v8
;;   v10 = v_fsub.f32x4 v7, v9
;;   v11 = heap_load8_u.i32 [v4]
;;   v12 = v_splat.i8x16 v11
;;   v13 = v_fcmp.f32x4 lt v1, v2
;;   v14 = v_bitselect v12, v1, v13
;;   v15 = xor.v128 v10, v14
;;   v16 = v_all_true.i32x4 v2
;;   v17 = v_splat.i32x4 v16
;;   v18 = v_add.i32x4 v15, v17
;;   return v18
;; }

;; -- amd64
;; 87 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   vaddps xmm2, xmm0, xmmword ptr [r14 + rdi + 0x10]; v128.load offset=16
;;   vmulps xmm2, xmm2, xmm1
;;   vbroadcastss xmm3, dword ptr [r14 + rdi + 4]; v128.load32_splat offset=4
;;   vsubps xmm2, xmm2, xmm3
;;   vpbroadcastb xmm3, byte ptr [r14 + rdi]     ; v128.load8_splat
;;   vcmpltps xmm4, xmm0, xmm1
;;   vpblendvb xmm0, xmm0, xmm3, xmm4
;;   vpxor xmm0, xmm2, xmm0
;;   xorps xmm2, xmm2
;;   vpcmpeqd xmm1, xmm1, xmm2
;;   xor eax, eax
;;   vptest xmm1, xmm1
;;   sete al
;;   vmovd xmm1, eax
;;   vpshufd xmm1, xmm1, 0
;;   vpaddd xmm0, xmm0, xmm1
;;   pop rbp
;;   ret

;; -- arm64
;; 96 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x1, x27, w0, uxtw
;;   ldr q2, [x1, #0x10]                         ; v128.load offset=16
;;   fadd v2.4s, v0.4s, v2.4s
;;   fmul v2.4s, v2.4s, v1.4s
;;   ldr s3, [x1, #4]                            ; v128.load32_splat offset=4
;;   dup v3.4s, v3.s[0]
;;   fsub v2.4s, v2.4s, v3.4s
;;   ldr b3, [x27, w0, uxtw]                     ; v128.load8_splat
;;   dup v3.16b, v3.b[0]
;;   fcmgt v4.4s, v1.4s, v0.4s
;;   bsl v4.16b, v3.16b, v0.16b
;;   eor v0.16b, v2.16b, v4.16b
;;   uminv s1, v1.4s
;;   fmov w0, s1
;;   cmp w0, #0
;;   cset w0, ne
;;   dup v1.4s, w0
;;   add v0.4s, v0.4s, v1.4s
;;   ldp x29, x30, [sp], #0x10
;;   ret

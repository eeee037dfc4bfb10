;; Whole vectors, one element to all lanes, to the lowest, from and to one lane, narrow lanes that are extended.

(module
  (memory 1)
  (func (export "f") (param i32 i32)
    local.get 1
    local.get 0
    v128.load offset=16
    local.get 0
    v128.load8_splat
    i8x16.add
    v128.store
    local.get 1
    local.get 0
    v128.load64_splat offset=8
    local.get 0
    v128.load32_zero offset=4
    f32x4.add
    v128.store offset=16
    local.get 1
    local.get 0
    v128.load8x8_u offset=3
    local.get 0
    v128.load16x4_s offset=11
    i16x8.sub
    v128.store offset=32
    local.get 1
    local.get 0
    local.get 0
    v128.load offset=64
    v128.load16_lane 5
    v128.store16_lane 2
    local.get 1
    local.get 0
    v128.load offset=64
    v128.store64_lane offset=48 1))

;; -- ir
;; function 0 (i32, i32) -> () {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = iadd.i64 memory_base, v2
;;   v4 = heap_load.v128 [v3+16]
;;   v5 = heap_load8_u.i32 [v3]
;;   v6 = v_splat.i8x16 v5
;;   v7 = v_add.i8x16 v4, v6
;;   v8 = extend_u.i64 v1
;;   v9 = iadd.i64 memory_base, v8
;;   heap_store.v128 [v9], v7
;;   v10 = heap_load.f64 [v3+8]
;;   v11 = v_splat.f64x2 v10
;;   v12 = heap_load.f32 [v3+4]
;;   v13 = v_low.f32x4 v12
;;   v14 = v_fadd.f32x4 v11, v13
;;   heap_store.v128 [v9+16], v14
;;   v15 = heap_load.f64 [v3+3]
;;   v16 = v_low.f64x2 v15
;;   v17 = v_extend_u.i16x8 low v16
;;   v18 = heap_load.f64 [v3+11]
;;   v19 = v_low.f64x2 v18
;;   v20 = v_extend_s.i32x4 low v19
;;   v21 = v_sub.i16x8 v17, v20
;;   heap_store.v128 [v9+32], v21
;;   v22 = heap_load.v128 [v3+64]
;;   v23 = heap_load16_u.i32 [v3]
;;   v24 = v_extract_u.i16x8[2] v22
;;   heap_store16.i32 [v9], v24
;;   v25 = heap_load.v128 [v3+64]
;;   v26 = v_extract_u.f64x2[1] v25
;;   heap_store.f64 [v9+48], v26
;;   return
;; }

;; -- amd64
;; 126 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   movups xmm0, xmmword ptr [r14 + rdi + 0x10] ; v128.load offset=16
;;   movzx eax, byte ptr [r14 + rdi]             ; v128.load8_splat
;;   movd xmm1, eax
;;   xorps xmm2, xmm2
;;   pshufb xmm1, xmm2
;;   paddb xmm0, xmm1
;;   movups xmmword ptr [r14 + rsi], xmm0        ; v128.store
;;   movddup xmm0, qword ptr [r14 + rdi + 8]     ; v128.load64_splat offset=8
;;   movss xmm1, dword ptr [r14 + rdi + 4]       ; v128.load32_zero offset=4
;;   addps xmm0, xmm1
;;   movups xmmword ptr [r14 + rsi + 0x10], xmm0 ; v128.store offset=16
;;   pmovzxbw xmm0, qword ptr [r14 + rdi + 3]    ; v128.load8x8_u offset=3
;;   pmovsxwd xmm1, qword ptr [r14 + rdi + 0xb]  ; v128.load16x4_s offset=11
;;   psubw xmm0, xmm1
;;   movups xmmword ptr [r14 + rsi + 0x20], xmm0 ; v128.store offset=32
;;   movups xmm0, xmmword ptr [r14 + rdi + 0x40] ; v128.load offset=64
;;   movzx eax, word ptr [r14 + rdi]             ; v128.load16_lane 5
;;   pextrw word ptr [r14 + rsi], xmm0, 2        ; v128.store16_lane 2
;;   movups xmm0, xmmword ptr [r14 + rdi + 0x40] ; v128.load offset=64
;;   movhps qword ptr [r14 + rsi + 0x30], xmm0   ; v128.store64_lane offset=48 1
;;   pop rbp
;;   ret

;; -- arm64
;; 116 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x0, x27, w0, uxtw
;;   ldr q0, [x0, #0x10]                         ; v128.load offset=16
;;   ld1r {v1.16b}, [x0]                         ; v128.load8_splat
;;   add v0.16b, v0.16b, v1.16b
;;   add x1, x27, w1, uxtw
;;   str q0, [x1]                                ; v128.store
;;   ldr d0, [x0, #8]                            ; v128.load64_splat offset=8
;;   dup v0.2d, v0.d[0]
;;   ldr s1, [x0, #4]                            ; v128.load32_zero offset=4
;;   fadd v0.4s, v0.4s, v1.4s
;;   str q0, [x1, #0x10]                         ; v128.store offset=16
;;   ldur d0, [x0, #3]                           ; v128.load8x8_u offset=3
;;   ushll v0.8h, v0.8b, #0
;;   ldur d1, [x0, #0xb]                         ; v128.load16x4_s offset=11
;;   sshll v1.4s, v1.4h, #0
;;   sub v0.8h, v0.8h, v1.8h
;;   str q0, [x1, #0x20]                         ; v128.store offset=32
;;   ldr q0, [x0, #0x40]                         ; v128.load offset=64
;;   ldrh w2, [x0]                               ; v128.load16_lane 5
;;   st1 {v0.h}[2], [x1]                         ; v128.store16_lane 2
;;   ldr q0, [x0, #0x40]                         ; v128.load offset=64
;;   mov d0, v0.d[1]
;;   str d0, [x1, #0x30]                         ; v128.store64_lane offset=48 1
;;   ldp x29, x30, [sp], #0x10
;;   ret

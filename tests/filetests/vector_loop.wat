;; Constants that a loop needs in each turn: in registers, or in memory where an instruction takes them from there.

(module
  (memory 1)
  (func (export "f") (param i32 i32)
    loop
      local.get 0
      local.get 0
      v128.load
      v128.const i32x4 0x03020100 0x0b0a0908 0x07060504 0x0f0e0d0c
      i8x16.swizzle
      v128.const i32x4 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f
      v128.and
      v128.const i32x4 0x33221100 0x77665544 0xbbaa9988 0xffeeddcc
      i8x16.add
      v128.store
      local.get 0
      i32.const 16
      i32.add
      local.tee 0
      local.get 1
      i32.lt_u
      br_if 0
    end))

;; -- ir
;; function 0 (i32, i32) -> () {
;; block0(v0: i32, v1: i32):
;;   jump block1(v0)
;; block1(v2: i32):  ; loop, depth 1
;;   v3 = extend_u.i64 v2
;;   v4 = iadd.i64 memory_base, v3
;;   v5 = heap_load.v128 [v4]
;;   v6 = v_shuffle [0 1 2 3 8 9 10 11 4 5 6 7 12 13 14 15] v5, v5
;;   v7 = and.v128 v6, 0xf0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f:v128
;;   v8 = v_add.i8x16 v7, 0xffeeddccbbaa99887766554433221100:v128
;;   heap_store.v128 [v4], v8
;;   v9 = iadd.i32 v2, 16:i32
;;   v10 = icmp.i32 lt_u v9, v1
;;   brif v10, block2, block3
;; block2:
;;   poll
;;   v11 = extend_u.i64 v9
;;   v12 = iadd.i64 memory_base, v11
;;   v13 = heap_load.v128 [v12]
;;   v14 = v_shuffle [0 1 2 3 8 9 10 11 4 5 6 7 12 13 14 15] v13, v13
;;   v15 = and.v128 v14, 0xf0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f:v128
;;   v16 = v_add.i8x16 v15, 0xffeeddccbbaa99887766554433221100:v128
;;   heap_store.v128 [v12], v16
;;   v17 = iadd.i32 v9, 16:i32
;;   v18 = icmp.i32 lt_u v17, v1
;;   brif v18, block1(v17), block3
;; block3:
;;   return
;; }

;; -- amd64
;; 144 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   nop dword ptr [rax]
;; L0:
;;   movups xmm0, xmmword ptr [r14 + rdi]        ; v128.load
;;   pshufd xmm0, xmm0, 0xd8
;;   pand xmm0, xmmword ptr [L4]
;;   paddb xmm0, xmmword ptr [L5]
;;   movups xmmword ptr [r14 + rdi], xmm0        ; v128.store
;;   lea eax, [rdi + 0x10]
;;   cmp eax, esi
;;   jae L2
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L3
;; L1:
;;   movups xmm0, xmmword ptr [r14 + rax]        ; v128.load
;;   pshufd xmm0, xmm0, 0xd8
;;   pand xmm0, xmmword ptr [L4]
;;   paddb xmm0, xmmword ptr [L5]
;;   movups xmmword ptr [r14 + rax], xmm0        ; v128.store
;;   lea edi, [rax + 0x10]
;;   cmp edi, esi
;;   jb L0
;; L2:
;;   pop rbp
;;   ret
;; L3:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1
;; L4:
;;   0f0f0f0f 0f0f0f0f 0f0f0f0f 0f0f0f0f
;; L5:
;;   00112233 44556677 8899aabb ccddeeff

;; -- arm64
;; 160 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ldr q0, L4
;;   movi v1.16b, #0xf
;;   ldr q2, L5
;; L0:
;;   ldr q3, [x27, w0, uxtw]                     ; v128.load
;;   tbl v3.16b, {v3.16b}, v0.16b
;;   and v3.16b, v1.16b, v3.16b
;;   add v3.16b, v3.16b, v2.16b
;;   str q3, [x27, w0, uxtw]                     ; v128.store
;;   add w0, w0, #0x10
;;   cmp w0, w1
;;   b.hs L2
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L1:
;;   ldr q3, [x27, w0, uxtw]                     ; v128.load
;;   tbl v3.16b, {v3.16b}, v0.16b
;;   and v3.16b, v1.16b, v3.16b
;;   add v3.16b, v3.16b, v2.16b
;;   str q3, [x27, w0, uxtw]                     ; v128.store
;;   add w0, w0, #0x10
;;   cmp w0, w1
;;   b.lo L0
;; L2:
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L3:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1
;; L4:
;;   00010203 08090a0b 04050607 0c0d0e0f
;; L5:
;;   00112233 44556677 8899aabb ccddeeff

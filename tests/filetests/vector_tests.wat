;; Tests of vectors decide where to go, without becoming a number; bits of comparisons, where one is needed.

(module
  (memory 1)
  (func (export "f") (param v128 v128) (result i32)
    block
      local.get 0
      v128.any_true
      i32.eqz
      br_if 0
      local.get 0
      local.get 1
      i8x16.eq
      i8x16.all_true
      br_if 0
      local.get 0
      local.get 1
      i32x4.lt_u
      i32x4.all_true
      br_if 0
      local.get 0
      i64x2.bitmask
      local.get 0
      local.get 1
      i8x16.gt_s
      i8x16.bitmask
      i32.add
      return
    end
    i32.const -1))

;; -- ir
;; function 0 (v128, v128) -> (i32) {
;; block0(v0: v128, v1: v128):
;;   v2 = v_any_true v0
;;   brif v2, block1, block4
;; block1:
;;   v3 = v_icmp.i8x16 eq v0, v1
;;   v4 = v_all_true.i8x16 v3
;;   brif v4, block4, block2
;; block2:
;;   v5 = v_icmp.i32x4 lt_u v0, v1
;;   v6 = v_all_true.i32x4 v5
;;   brif v6, block4, block3
;; block3:
;;   v7 = v_bitmask.i64x2 v0
;;   v8 = v_icmp.i8x16 gt_s v0, v1
;;   v9 = v_bitmask.i8x16 v8
;;   v10 = iadd.i32 v7, v9
;;   return v10
;; block4:
;;   return -1:i32
;; }

;; -- amd64
;; 128 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   ptest xmm0, xmm0
;;   je L0
;;   movaps xmm2, xmm0
;;   pcmpeqb xmm2, xmm1
;;   pmovmskb eax, xmm2
;;   cmp eax, 0xffff
;;   je L0
;;   movaps xmm2, xmm1
;;   pxor xmm2, xmmword ptr [L1]
;;   movaps xmm3, xmm0
;;   pxor xmm3, xmmword ptr [L1]
;;   pcmpgtd xmm2, xmm3
;;   pmovmskb eax, xmm2
;;   cmp eax, 0xffff
;;   je L0
;;   movmskpd eax, xmm0
;;   pcmpgtb xmm0, xmm1
;;   pmovmskb ecx, xmm0
;;   add eax, ecx
;;   pop rbp
;;   ret
;; L0:
;;   mov eax, 0xffffffff
;;   pop rbp
;;   ret
;; L1:
;;   00000080 00000080 00000080 00000080

;; -- arm64
;; 144 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   umaxp v2.4s, v0.4s, v0.4s
;;   fmov x0, d2
;;   cbz x0, L0
;;   eor v2.16b, v0.16b, v1.16b
;;   umaxp v2.4s, v2.4s, v2.4s
;;   fmov x0, d2
;;   cbz x0, L0
;;   cmhs v2.4s, v0.4s, v1.4s
;;   umaxp v2.4s, v2.4s, v2.4s
;;   fmov x0, d2
;;   cbz x0, L0
;;   ushr v2.2d, v0.2d, #0x3f
;;   fmov x0, d2
;;   mov x1, v2.d[1]
;;   add w0, w0, w1, lsl #1
;;   cmgt v0.16b, v0.16b, v1.16b
;;   ldr q1, L1
;;   and v0.16b, v0.16b, v1.16b
;;   ext v1.16b, v0.16b, v0.16b, #8
;;   zip1 v0.16b, v0.16b, v1.16b
;;   addv h0, v0.8h
;;   fmov w1, s0
;;   add w0, w0, w1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   mov w0, #-1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L1:
;;   01020408 10204080 01020408 10204080

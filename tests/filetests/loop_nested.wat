;; Two loops; what does not change in the inner one stays in registers.

(module
  (func (export "f") (param i32 i32 f64) (result f64) (local i32 f64)
    block
      loop
        local.get 0
        i32.eqz
        br_if 1
        i32.const 0
        local.set 3
        loop
          local.get 4
          local.get 2
          local.get 3
          f64.convert_i32_s
          f64.mul
          f64.add
          local.set 4
          local.get 3
          i32.const 1
          i32.add
          local.tee 3
          local.get 1
          i32.lt_u
          br_if 0
        end
        local.get 0
        i32.const 1
        i32.sub
        local.set 0
        br 0
      end
    end
    local.get 4))

;; -- ir
;; function 0 (i32, i32, f64) -> (f64) {
;; block0(v0: i32, v1: i32, v2: f64):
;;   jump block1(v0, 0.0:f64)
;; block1(v3: i32, v4: f64):  ; loop, depth 1
;;   brif v3, block2, block8
;; block2:
;;   jump block3(v4, 0:i32)
;; block3(v5: f64, v6: i32):  ; loop, depth 2
;;   poll
;;   v7 = itof_s.f64 v6
;;   v8 = fmul.f64 v2, v7
;;   v9 = fadd.f64 v5, v8
;;   v10 = iadd.i32 v6, 1:i32
;;   v11 = icmp.i32 lt_u v10, v1
;;   brif v11, block4, block7(v9)
;; block4:
;;   v12 = itof_s.f64 v10
;;   v13 = fmul.f64 v2, v12
;;   v14 = fadd.f64 v9, v13
;;   v15 = iadd.i32 v10, 1:i32
;;   v16 = icmp.i32 lt_u v15, v1
;;   brif v16, block5, block7(v14)
;; block5:
;;   v17 = itof_s.f64 v15
;;   v18 = fmul.f64 v2, v17
;;   v19 = fadd.f64 v14, v18
;;   v20 = iadd.i32 v15, 1:i32
;;   v21 = icmp.i32 lt_u v20, v1
;;   brif v21, block6, block7(v19)
;; block6:
;;   v22 = itof_s.f64 v20
;;   v23 = fmul.f64 v2, v22
;;   v24 = fadd.f64 v19, v23
;;   v25 = iadd.i32 v20, 1:i32
;;   v26 = icmp.i32 lt_u v25, v1
;;   brif v26, block3(v24, v25), block7(v24)
;; block7(v27: f64):
;;   v28 = iadd.i32 v3, -1:i32
;;   jump block1(v28, v27)
;; block8:
;;   return v4
;; }

;; -- amd64
;; 145 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   xorps xmm1, xmm1
;; L0:
;;   test edi, edi
;;   je L4
;;   xor eax, eax
;;   nop dword ptr [rax]
;; L1:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L5
;; L2:
;;   xorps xmm2, xmm2
;;   cvtsi2sd xmm2, eax
;;   mulsd xmm2, xmm0
;;   addsd xmm1, xmm2
;;   add eax, 1
;;   cmp eax, esi
;;   jae L3
;;   xorps xmm2, xmm2
;;   cvtsi2sd xmm2, eax
;;   mulsd xmm2, xmm0
;;   addsd xmm1, xmm2
;;   add eax, 1
;;   cmp eax, esi
;;   jae L3
;;   xorps xmm2, xmm2
;;   cvtsi2sd xmm2, eax
;;   mulsd xmm2, xmm0
;;   addsd xmm1, xmm2
;;   add eax, 1
;;   cmp eax, esi
;;   jae L3
;;   xorps xmm2, xmm2
;;   cvtsi2sd xmm2, eax
;;   mulsd xmm2, xmm0
;;   addsd xmm1, xmm2
;;   add eax, 1
;;   cmp eax, esi
;;   jb L1
;; L3:
;;   add edi, -1
;;   jmp L0
;; L4:
;;   movaps xmm0, xmm1
;;   pop rbp
;;   ret
;; L5:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L2

;; -- arm64
;; 172 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   movi d1, #0000000000000000
;; L0:
;;   cbz w0, L4
;;   mov w2, #0
;; L1:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L5
;; L2:
;;   scvtf d2, w2
;;   fmul d2, d0, d2
;;   fadd d1, d1, d2
;;   add w2, w2, #1
;;   cmp w2, w1
;;   b.hs L3
;;   scvtf d2, w2
;;   fmul d2, d0, d2
;;   fadd d1, d1, d2
;;   add w2, w2, #1
;;   cmp w2, w1
;;   b.hs L3
;;   scvtf d2, w2
;;   fmul d2, d0, d2
;;   fadd d1, d1, d2
;;   add w2, w2, #1
;;   cmp w2, w1
;;   b.hs L3
;;   scvtf d2, w2
;;   fmul d2, d0, d2
;;   fadd d1, d1, d2
;;   add w2, w2, #1
;;   cmp w2, w1
;;   b.lo L1
;; L3:
;;   sub w0, w0, #1
;;   b L0
;; L4:
;;   fmov d0, d1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L5:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L2

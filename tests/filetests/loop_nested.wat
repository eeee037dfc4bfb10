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
;;   brif v3, block2, block5
;; block2:
;;   jump block3(v4, 0:i32)
;; block3(v5: f64, v6: i32):  ; loop, depth 2
;;   poll
;;   v7 = itof_s.f64 v6
;;   v8 = fmul.f64 v2, v7
;;   v9 = fadd.f64 v5, v8
;;   v10 = iadd.i32 v6, 1:i32
;;   v11 = icmp.i32 lt_u v10, v1
;;   brif v11, block3(v9, v10), block4
;; block4:
;;   v12 = iadd.i32 v3, -1:i32
;;   jump block1(v12, v9)
;; block5:
;;   return v4
;; }

;; -- amd64
;; 79 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   xorps xmm1, xmm1
;; L0:
;;   test edi, edi
;;   je L3
;;   xor eax, eax
;;   nop dword ptr [rax]
;; L1:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L2:
;;   xorps xmm2, xmm2
;;   cvtsi2sd xmm2, eax
;;   mulsd xmm2, xmm0
;;   addsd xmm1, xmm2
;;   add eax, 1
;;   cmp eax, esi
;;   jb L1
;;   add edi, -1
;;   jmp L0
;; L3:
;;   movaps xmm0, xmm1
;;   pop rbp
;;   ret
;; L4:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L2

;; -- arm64
;; 100 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   movi d1, #0000000000000000
;; L0:
;;   cbz w0, L3
;;   mov w2, #0
;; L1:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L2:
;;   scvtf d2, w2
;;   fmul d2, d0, d2
;;   fadd d1, d1, d2
;;   add w2, w2, #1
;;   cmp w2, w1
;;   b.lo L1
;;   sub w0, w0, #1
;;   b L0
;; L3:
;;   fmov d0, d1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L4:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L2

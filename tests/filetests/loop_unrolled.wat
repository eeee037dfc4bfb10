;; A small loop that ends who knows when is unrolled, and polls once in four rounds; what it has when it ends is used
;; behind it.

(module
  (memory 1)
  (func (export "f") (param i32 i32) (result i32)
    loop
      local.get 0
      i32.const 0
      i32.store8 offset=16
      local.get 0
      local.get 1
      i32.add
      local.tee 0
      i32.const 8193
      i32.lt_u
      br_if 0
    end
    local.get 0))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   jump block1(v0)
;; block1(v2: i32):  ; loop, depth 1
;;   v3 = extend_u.i64 v2
;;   v4 = iadd.i64 memory_base, v3
;;   heap_store8.i32 [v4+16], 0:i32
;;   v5 = iadd.i32 v2, v1
;;   v6 = icmp.i32 lt_u v5, 8193:i32
;;   brif v6, block2, block5(v5)
;; block2:
;;   v7 = extend_u.i64 v5
;;   v8 = iadd.i64 memory_base, v7
;;   heap_store8.i32 [v8+16], 0:i32
;;   v9 = iadd.i32 v5, v1
;;   v10 = icmp.i32 lt_u v9, 8193:i32
;;   brif v10, block3, block5(v9)
;; block3:
;;   v11 = extend_u.i64 v9
;;   v12 = iadd.i64 memory_base, v11
;;   heap_store8.i32 [v12+16], 0:i32
;;   v13 = iadd.i32 v9, v1
;;   v14 = icmp.i32 lt_u v13, 8193:i32
;;   brif v14, block4, block5(v13)
;; block4:
;;   poll
;;   v15 = extend_u.i64 v13
;;   v16 = iadd.i64 memory_base, v15
;;   heap_store8.i32 [v16+16], 0:i32
;;   v17 = iadd.i32 v13, v1
;;   v18 = icmp.i32 lt_u v17, 8193:i32
;;   brif v18, block1(v17), block5(v17)
;; block5(v19: i32):
;;   return v19
;; }

;; -- amd64
;; 101 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   nop dword ptr [rax]
;; L0:
;;   mov byte ptr [r14 + rdi + 0x10], 0          ; i32.store8 offset=16
;;   lea eax, [rdi + rsi]
;;   cmp eax, 0x2001
;;   jae L2
;;   mov byte ptr [r14 + rax + 0x10], 0          ; i32.store8 offset=16
;;   add eax, esi
;;   cmp eax, 0x2001
;;   jae L2
;;   mov byte ptr [r14 + rax + 0x10], 0          ; i32.store8 offset=16
;;   add eax, esi
;;   cmp eax, 0x2001
;;   jae L2
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L3
;; L1:
;;   mov byte ptr [r14 + rax + 0x10], 0          ; i32.store8 offset=16
;;   lea edi, [rax + rsi]
;;   cmp edi, 0x2001
;;   jb L0
;;   mov eax, edi
;; L2:
;;   pop rbp
;;   ret
;; L3:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1

;; -- arm64
;; 132 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;; L0:
;;   add x2, x27, w0, uxtw
;;   strb wzr, [x2, #0x10]                       ; i32.store8 offset=16
;;   add w0, w0, w1
;;   cmp w0, #2, lsl #12
;;   b.hi L2
;;   add x2, x27, w0, uxtw
;;   strb wzr, [x2, #0x10]                       ; i32.store8 offset=16
;;   add w0, w0, w1
;;   cmp w0, #2, lsl #12
;;   b.hi L2
;;   add x2, x27, w0, uxtw
;;   strb wzr, [x2, #0x10]                       ; i32.store8 offset=16
;;   add w0, w0, w1
;;   cmp w0, #2, lsl #12
;;   b.hi L2
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L1:
;;   add x2, x27, w0, uxtw
;;   strb wzr, [x2, #0x10]                       ; i32.store8 offset=16
;;   add w0, w0, w1
;;   cmp w0, #2, lsl #12
;;   b.ls L0
;; L2:
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L3:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1

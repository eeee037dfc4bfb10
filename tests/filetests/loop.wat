;; A loop over an array, with the poll that makes it interruptible.

(module
  (memory 1)
  (func (export "f") (param i32 i32) (result i32) (local i32)
    loop
      local.get 2
      local.get 0
      i32.load
      i32.add
      local.set 2
      local.get 0
      i32.const 4
      i32.add
      local.set 0
      local.get 1
      i32.const 1
      i32.sub
      local.tee 1
      br_if 0
    end
    local.get 2))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   jump block1(0:i32, v0, v1)
;; block1(v2: i32, v3: i32, v4: i32):  ; loop, depth 1
;;   v5 = extend_u.i64 v3
;;   v6 = iadd.i64 memory_base, v5
;;   v7 = heap_load.i32 [v6]
;;   v8 = iadd.i32 v2, v7
;;   v9 = iadd.i32 v3, 4:i32
;;   v10 = iadd.i32 v4, -1:i32
;;   brif v10, block2, block5(v8)
;; block2:
;;   v11 = extend_u.i64 v9
;;   v12 = iadd.i64 memory_base, v11
;;   v13 = heap_load.i32 [v12]
;;   v14 = iadd.i32 v8, v13
;;   v15 = iadd.i32 v9, 4:i32
;;   v16 = iadd.i32 v10, -1:i32
;;   brif v16, block3, block5(v14)
;; block3:
;;   v17 = extend_u.i64 v15
;;   v18 = iadd.i64 memory_base, v17
;;   v19 = heap_load.i32 [v18]
;;   v20 = iadd.i32 v14, v19
;;   v21 = iadd.i32 v15, 4:i32
;;   v22 = iadd.i32 v16, -1:i32
;;   brif v22, block4, block5(v20)
;; block4:
;;   poll
;;   v23 = extend_u.i64 v21
;;   v24 = iadd.i64 memory_base, v23
;;   v25 = heap_load.i32 [v24]
;;   v26 = iadd.i32 v20, v25
;;   v27 = iadd.i32 v21, 4:i32
;;   v28 = iadd.i32 v22, -1:i32
;;   brif v28, block1(v26, v27, v28), block5(v26)
;; block5(v29: i32):
;;   return v29
;; }

;; -- amd64
;; 89 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   xor eax, eax
;;   nop
;; L0:
;;   add eax, dword ptr [r14 + rdi]              ; i32.load
;;   lea ecx, [rdi + 4]
;;   lea edx, [rsi - 1]
;;   test edx, edx
;;   je L2
;;   add eax, dword ptr [r14 + rcx]              ; i32.load
;;   add ecx, 4
;;   add edx, -1
;;   test edx, edx
;;   je L2
;;   add eax, dword ptr [r14 + rcx]              ; i32.load
;;   add ecx, 4
;;   add edx, -1
;;   test edx, edx
;;   je L2
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L3
;; L1:
;;   add eax, dword ptr [r14 + rcx]              ; i32.load
;;   lea edi, [rcx + 4]
;;   lea esi, [rdx - 1]
;;   test esi, esi
;;   jne L0
;; L2:
;;   pop rbp
;;   ret
;; L3:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1

;; -- arm64
;; 140 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   mov w2, #0
;; L0:
;;   ldr w3, [x27, w0, uxtw]                     ; i32.load
;;   add w2, w2, w3
;;   add w0, w0, #4
;;   sub w1, w1, #1
;;   cbz w1, L2
;;   ldr w3, [x27, w0, uxtw]                     ; i32.load
;;   add w2, w2, w3
;;   add w0, w0, #4
;;   sub w1, w1, #1
;;   cbz w1, L2
;;   ldr w3, [x27, w0, uxtw]                     ; i32.load
;;   add w2, w2, w3
;;   add w0, w0, #4
;;   sub w1, w1, #1
;;   cbz w1, L2
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L1:
;;   ldr w3, [x27, w0, uxtw]                     ; i32.load
;;   add w2, w2, w3
;;   add w0, w0, #4
;;   sub w1, w1, #1
;;   cbnz w1, L0
;; L2:
;;   mov x0, x2
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L3:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1

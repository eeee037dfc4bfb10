;; The inner loop's counter takes a register from what only the outer loop uses.

(module
  (memory 1)
  (func (export "f") (param i32 i32 i32 i32) (result i32) (local i32 i32 i32 i32 i32 i32 i32 i32)
    loop
      i32.const 0
      local.set 11
      loop
        local.get 1
        local.get 11
        i32.add
        local.get 2
        local.get 11
        i32.add
        i32.load
        i32.store
        local.get 11
        i32.const 4
        i32.add
        local.tee 11
        local.get 3
        i32.lt_u
        br_if 0
      end
      local.get 4
      local.get 5
      i32.add
      local.set 4
      local.get 5
      local.get 6
      i32.xor
      local.set 5
      local.get 6
      local.get 7
      i32.add
      local.set 6
      local.get 7
      local.get 8
      i32.xor
      local.set 7
      local.get 8
      local.get 9
      i32.add
      local.set 8
      local.get 9
      local.get 10
      i32.xor
      local.set 9
      local.get 10
      local.get 4
      i32.load
      i32.add
      local.set 10
      local.get 0
      i32.const 1
      i32.sub
      local.tee 0
      br_if 0
    end
    local.get 4
    local.get 10
    i32.add))

;; -- ir
;; function 0 (i32, i32, i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32, v2: i32, v3: i32):
;;   jump block1(0:i32, 0:i32, 0:i32, 0:i32, 0:i32, 0:i32, 0:i32, v0)
;; block1(v4: i32, v5: i32, v6: i32, v7: i32, v8: i32, v9: i32, v10: i32, v11: i32):  ; loop, depth 1
;;   jump block2(0:i32)
;; block2(v12: i32):  ; loop, depth 2
;;   poll
;;   v13 = iadd.i32 v1, v12
;;   v14 = iadd.i32 v2, v12
;;   v15 = extend_u.i64 v14
;;   v16 = iadd.i64 memory_base, v15
;;   v17 = heap_load.i32 [v16]
;;   v18 = extend_u.i64 v13
;;   v19 = iadd.i64 memory_base, v18
;;   heap_store.i32 [v19], v17
;;   v20 = iadd.i32 v12, 4:i32
;;   v21 = icmp.i32 lt_u v20, v3
;;   brif v21, block3, block4
;; block3:
;;   v22 = iadd.i32 v1, v20
;;   v23 = iadd.i32 v2, v20
;;   v24 = extend_u.i64 v23
;;   v25 = iadd.i64 memory_base, v24
;;   v26 = heap_load.i32 [v25]
;;   v27 = extend_u.i64 v22
;;   v28 = iadd.i64 memory_base, v27
;;   heap_store.i32 [v28], v26
;;   v29 = iadd.i32 v20, 4:i32
;;   v30 = icmp.i32 lt_u v29, v3
;;   brif v30, block2(v29), block4
;; block4:
;;   v31 = iadd.i32 v4, v5
;;   v32 = xor.i32 v5, v6
;;   v33 = iadd.i32 v6, v7
;;   v34 = xor.i32 v7, v8
;;   v35 = iadd.i32 v8, v9
;;   v36 = xor.i32 v9, v10
;;   v37 = extend_u.i64 v31
;;   v38 = iadd.i64 memory_base, v37
;;   v39 = heap_load.i32 [v38]
;;   v40 = iadd.i32 v10, v39
;;   v41 = iadd.i32 v11, -1:i32
;;   brif v41, block1(v31, v32, v33, v34, v35, v36, v40, v41), block5
;; block5:
;;   v42 = iadd.i32 v31, v40
;;   return v42
;; }

;; -- amd64
;; 205 bytes, frame of 80
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x50
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   xor r13d, r13d
;;   xor r12d, r12d
;;   xor r9d, r9d
;;   xor r8d, r8d
;;   xor ebx, ebx
;;   xor r10d, r10d
;;   xor eax, eax
;; L0:
;;   mov qword ptr [rbp - 0x50], rdi
;;   mov qword ptr [rbp - 0x48], rax
;;   mov qword ptr [rbp - 0x40], r10
;;   xor edi, edi
;;   nop word ptr [rax + rax]
;;   nop
;; L1:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L2:
;;   lea eax, [rsi + rdi]
;;   lea r10d, [rdx + rdi]
;;   mov r10d, dword ptr [r14 + r10]             ; i32.load
;;   mov dword ptr [r14 + rax], r10d             ; i32.store
;;   lea eax, [rdi + 4]
;;   cmp eax, ecx
;;   jae L3
;;   lea edi, [rsi + rax]
;;   lea r10d, [rdx + rax]
;;   mov r10d, dword ptr [r14 + r10]             ; i32.load
;;   mov dword ptr [r14 + rdi], r10d             ; i32.store
;;   lea edi, [rax + 4]
;;   cmp edi, ecx
;;   jb L1
;; L3:
;;   add r13d, r12d
;;   xor r12d, r9d
;;   add r9d, r8d
;;   xor r8d, ebx
;;   add ebx, dword ptr [rbp - 0x40]
;;   mov r10, qword ptr [rbp - 0x40]
;;   xor r10d, dword ptr [rbp - 0x48]
;;   mov rax, qword ptr [rbp - 0x48]
;;   add eax, dword ptr [r14 + r13]              ; i32.load
;;   mov edi, dword ptr [rbp - 0x50]
;;   add edi, -1
;;   test edi, edi
;;   jne L0
;;   add eax, r13d
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L4:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L2

;; -- arm64
;; 184 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   mov w10, #0
;;   mov w9, #0
;;   mov w8, #0
;;   mov w7, #0
;;   mov w6, #0
;;   mov w5, #0
;;   mov w4, #0
;; L0:
;;   mov w11, #0
;; L1:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L2:
;;   add w12, w1, w11
;;   add w13, w2, w11
;;   ldr w13, [x27, w13, uxtw]                   ; i32.load
;;   str w13, [x27, w12, uxtw]                   ; i32.store
;;   add w11, w11, #4
;;   cmp w11, w3
;;   b.hs L3
;;   add w12, w1, w11
;;   add w13, w2, w11
;;   ldr w13, [x27, w13, uxtw]                   ; i32.load
;;   str w13, [x27, w12, uxtw]                   ; i32.store
;;   add w11, w11, #4
;;   cmp w11, w3
;;   b.lo L1
;; L3:
;;   add w10, w10, w9
;;   eor w9, w9, w8
;;   add w8, w8, w7
;;   eor w7, w7, w6
;;   add w6, w6, w5
;;   eor w5, w5, w4
;;   ldr w11, [x27, w10, uxtw]                   ; i32.load
;;   add w4, w4, w11
;;   sub w0, w0, #1
;;   cbnz w0, L0
;;   add w0, w10, w4
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L4:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L2

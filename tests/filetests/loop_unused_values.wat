;; More values than registers; those that the loop does not use are in memory before it begins, and stay there.

(module
  (memory 1)
  (func (export "f") (param i32 i32) (result i32) (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    local.get 0
    i32.load
    local.set 2
    local.get 0
    i32.load offset=4
    local.set 3
    local.get 0
    i32.load offset=8
    local.set 4
    local.get 0
    i32.load offset=12
    local.set 5
    local.get 0
    i32.load offset=16
    local.set 6
    local.get 0
    i32.load offset=20
    local.set 7
    local.get 0
    i32.load offset=24
    local.set 8
    local.get 0
    i32.load offset=28
    local.set 9
    local.get 0
    i32.load offset=32
    local.set 10
    local.get 0
    i32.load offset=36
    local.set 11
    loop
      local.get 1
      local.get 1
      i32.load offset=4
      local.get 1
      i32.load offset=8
      local.get 1
      i32.load offset=12
      local.get 1
      i32.load offset=16
      i32.mul
      i32.add
      i32.xor
      i32.store
      local.get 1
      i32.load offset=20
      local.tee 1
      br_if 0
    end
    local.get 2
    local.get 3
    i32.xor
    local.get 4
    i32.xor
    local.get 5
    i32.xor
    local.get 6
    i32.xor
    local.get 7
    i32.xor
    local.get 8
    i32.xor
    local.get 9
    i32.xor
    local.get 10
    i32.xor
    local.get 11
    i32.xor))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = iadd.i64 memory_base, v2
;;   v4 = heap_load.i32 [v3]
;;   v5 = heap_load.i32 [v3+4]
;;   v6 = heap_load.i32 [v3+8]
;;   v7 = heap_load.i32 [v3+12]
;;   v8 = heap_load.i32 [v3+16]
;;   v9 = heap_load.i32 [v3+20]
;;   v10 = heap_load.i32 [v3+24]
;;   v11 = heap_load.i32 [v3+28]
;;   v12 = heap_load.i32 [v3+32]
;;   v13 = heap_load.i32 [v3+36]
;;   jump block1(v1)
;; block1(v14: i32):  ; loop, depth 1
;;   poll
;;   v15 = extend_u.i64 v14
;;   v16 = iadd.i64 memory_base, v15
;;   v17 = heap_load.i32 [v16+4]
;;   v18 = heap_load.i32 [v16+8]
;;   v19 = heap_load.i32 [v16+12]
;;   v20 = heap_load.i32 [v16+16]
;;   v21 = imul.i32 v19, v20
;;   v22 = iadd.i32 v18, v21
;;   v23 = xor.i32 v17, v22
;;   heap_store.i32 [v16], v23
;;   v24 = heap_load.i32 [v16+20]
;;   brif v24, block1(v24), block2
;; block2:
;;   v25 = xor.i32 v4, v5
;;   v26 = xor.i32 v25, v6
;;   v27 = xor.i32 v26, v7
;;   v28 = xor.i32 v27, v8
;;   v29 = xor.i32 v28, v9
;;   v30 = xor.i32 v29, v10
;;   v31 = xor.i32 v30, v11
;;   v32 = xor.i32 v31, v12
;;   v33 = xor.i32 v32, v13
;;   return v33
;; }

;; -- amd64
;; 191 bytes, frame of 64
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x40
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov eax, dword ptr [r14 + rdi]              ; i32.load
;;   mov ecx, dword ptr [r14 + rdi + 4]          ; i32.load offset=4
;;   mov edx, dword ptr [r14 + rdi + 8]          ; i32.load offset=8
;;   mov r10d, dword ptr [r14 + rdi + 0xc]       ; i32.load offset=12
;;   mov ebx, dword ptr [r14 + rdi + 0x10]       ; i32.load offset=16
;;   mov r8d, dword ptr [r14 + rdi + 0x14]       ; i32.load offset=20
;;   mov r9d, dword ptr [r14 + rdi + 0x18]       ; i32.load offset=24
;;   mov r12d, dword ptr [r14 + rdi + 0x1c]      ; i32.load offset=28
;;   mov r13d, dword ptr [r14 + rdi + 0x20]      ; i32.load offset=32
;;   mov edi, dword ptr [r14 + rdi + 0x24]       ; i32.load offset=36
;;   mov qword ptr [rbp - 0x40], rdi
;;   nop dword ptr [rax]
;; L0:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L2
;; L1:
;;   mov edi, dword ptr [r14 + rsi + 0xc]        ; i32.load offset=12
;;   imul edi, dword ptr [r14 + rsi + 0x10]      ; i32.load offset=16
;;   add edi, dword ptr [r14 + rsi + 8]          ; i32.load offset=8
;;   xor edi, dword ptr [r14 + rsi + 4]          ; i32.load offset=4
;;   mov dword ptr [r14 + rsi], edi              ; i32.store
;;   mov esi, dword ptr [r14 + rsi + 0x14]       ; i32.load offset=20
;;   test esi, esi
;;   jne L0
;;   xor eax, ecx
;;   xor eax, edx
;;   xor eax, r10d
;;   xor eax, ebx
;;   xor eax, r8d
;;   xor eax, r9d
;;   xor eax, r12d
;;   xor eax, r13d
;;   xor eax, dword ptr [rbp - 0x40]
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L2:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1

;; -- arm64
;; 172 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x0, x27, w0, uxtw
;;   ldr w2, [x0]                                ; i32.load
;;   ldr w3, [x0, #4]                            ; i32.load offset=4
;;   ldr w4, [x0, #8]                            ; i32.load offset=8
;;   ldr w5, [x0, #0xc]                          ; i32.load offset=12
;;   ldr w6, [x0, #0x10]                         ; i32.load offset=16
;;   ldr w7, [x0, #0x14]                         ; i32.load offset=20
;;   ldr w8, [x0, #0x18]                         ; i32.load offset=24
;;   ldr w9, [x0, #0x1c]                         ; i32.load offset=28
;;   ldr w10, [x0, #0x20]                        ; i32.load offset=32
;;   ldr w0, [x0, #0x24]                         ; i32.load offset=36
;; L0:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L2
;; L1:
;;   add x1, x27, w1, uxtw
;;   ldr w11, [x1, #4]                           ; i32.load offset=4
;;   ldr w12, [x1, #8]                           ; i32.load offset=8
;;   ldr w13, [x1, #0xc]                         ; i32.load offset=12
;;   ldr w14, [x1, #0x10]                        ; i32.load offset=16
;;   madd w12, w13, w14, w12
;;   eor w11, w11, w12
;;   str w11, [x1]                               ; i32.store
;;   ldr w1, [x1, #0x14]                         ; i32.load offset=20
;;   cbnz w1, L0
;;   eor w1, w2, w3
;;   eor w1, w1, w4
;;   eor w1, w1, w5
;;   eor w1, w1, w6
;;   eor w1, w1, w7
;;   eor w1, w1, w8
;;   eor w1, w1, w9
;;   eor w1, w1, w10
;;   eor w0, w1, w0
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L2:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1

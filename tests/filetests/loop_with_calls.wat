;; What the loop uses is in preserved registers, what it does not use is in memory.

(module
  (memory 1)
  (func (param i32) (result i32)
    loop ;; (not inlined)
    end
    local.get 0)
  (func (export "f") (param i32 i32) (result i32) (local i32 i32 i32 i32 i32 i32 i32)
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
    loop
      local.get 8
      local.get 1
      call 0
      local.tee 1
      i32.store
      local.get 1
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
    i32.xor))

;; -- ir
;; function 1 (i32, i32) -> (i32) {
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
;;   jump block1(v1)
;; block1(v11: i32):  ; loop, depth 1
;;   poll
;;   v12: i32 = call 0(v11)
;;   v13 = extend_u.i64 v10
;;   v14 = iadd.i64 memory_base, v13
;;   heap_store.i32 [v14], v12
;;   brif v12, block1(v12), block2
;; block2:
;;   v15 = xor.i32 v4, v5
;;   v16 = xor.i32 v15, v6
;;   v17 = xor.i32 v16, v7
;;   v18 = xor.i32 v17, v8
;;   v19 = xor.i32 v18, v9
;;   v20 = xor.i32 v19, v10
;;   return v20
;; }

;; -- amd64
;; 186 bytes, frame of 80
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x50
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L0:
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov ebx, dword ptr [r14 + rdi]              ; i32.load
;;   mov r8d, dword ptr [r14 + rdi + 4]          ; i32.load offset=4
;;   mov r9d, dword ptr [r14 + rdi + 8]          ; i32.load offset=8
;;   mov r12d, dword ptr [r14 + rdi + 0xc]       ; i32.load offset=12
;;   mov r13d, dword ptr [r14 + rdi + 0x10]      ; i32.load offset=16
;;   mov qword ptr [rbp - 0x50], r13
;;   mov eax, dword ptr [r14 + rdi + 0x14]       ; i32.load offset=20
;;   mov qword ptr [rbp - 0x48], rax
;;   mov eax, dword ptr [r14 + rdi + 0x18]       ; i32.load offset=24
;;   mov qword ptr [rbp - 0x40], rax
;;   mov r13, qword ptr [rbp - 0x40]
;;   mov edi, esi
;; L1:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L5
;; L2:
;;   call qword ptr [slot 0]                     ; call 0
;;   nop
;;   mov dword ptr [r14 + r13], eax              ; i32.store
;;   test eax, eax
;;   je L3
;;   mov edi, eax
;;   jmp L1
;; L3:
;;   xor ebx, r8d
;;   xor ebx, r9d
;;   xor ebx, r12d
;;   xor ebx, dword ptr [rbp - 0x50]
;;   xor ebx, dword ptr [rbp - 0x48]
;;   mov eax, ebx
;;   xor eax, r13d
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L4:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L5:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L2

;; -- arm64
;; 192 bytes, frame of 64
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x50]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L0:
;;   stp x19, x20, [sp, #0x10]
;;   stp x21, x22, [sp, #0x20]
;;   stp x23, x24, [sp, #0x30]
;;   str x25, [sp, #0x40]
;;   add x0, x27, w0, uxtw
;;   ldr w19, [x0]                               ; i32.load
;;   ldr w20, [x0, #4]                           ; i32.load offset=4
;;   ldr w21, [x0, #8]                           ; i32.load offset=8
;;   ldr w22, [x0, #0xc]                         ; i32.load offset=12
;;   ldr w23, [x0, #0x10]                        ; i32.load offset=16
;;   ldr w24, [x0, #0x14]                        ; i32.load offset=20
;;   ldr w25, [x0, #0x18]                        ; i32.load offset=24
;;   mov x0, x1
;; L1:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L2:
;;   adrp x16, slot 0
;;   ldr x17, [x16]
;;   blr x17                                     ; call 0
;;   nop
;;   str w0, [x27, w25, uxtw]                    ; i32.store
;;   cbnz w0, L1
;;   eor w0, w19, w20
;;   eor w0, w0, w21
;;   eor w0, w0, w22
;;   eor w0, w0, w23
;;   eor w0, w0, w24
;;   eor w0, w0, w25
;;   ldp x19, x20, [sp, #0x10]
;;   ldp x21, x22, [sp, #0x20]
;;   ldp x23, x24, [sp, #0x30]
;;   ldr x25, [sp, #0x40]
;;   ldp x29, x30, [sp], #0x50
;;   ret
;; L3:
;;   bl L5
;;   b L0
;; L4:
;;   bl L5                                       ; loop
;;   b L2
;; L5:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   br x16

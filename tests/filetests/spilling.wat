;; More values than registers: loaded, kept across a call, and summed in the order of their addresses.

(module
  (memory 1)
  (func
    loop ;; (not inlined)
    end)
  (func (export "f") (param i32) (result i32) (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    local.get 0
    i32.load
    local.set 1
    local.get 0
    i32.load offset=4
    local.set 2
    local.get 0
    i32.load offset=8
    local.set 3
    local.get 0
    i32.load offset=12
    local.set 4
    local.get 0
    i32.load offset=16
    local.set 5
    local.get 0
    i32.load offset=20
    local.set 6
    local.get 0
    i32.load offset=24
    local.set 7
    local.get 0
    i32.load offset=28
    local.set 8
    local.get 0
    i32.load offset=32
    local.set 9
    local.get 0
    i32.load offset=36
    local.set 10
    local.get 0
    i32.load offset=40
    local.set 11
    local.get 0
    i32.load offset=44
    local.set 12
    local.get 0
    i32.load offset=48
    local.set 13
    local.get 0
    i32.load offset=52
    local.set 14
    local.get 0
    i32.load offset=56
    local.set 15
    local.get 0
    i32.load offset=60
    local.set 16
    local.get 0
    i32.load offset=64
    local.set 17
    local.get 0
    i32.load offset=68
    local.set 18
    local.get 0
    i32.load offset=72
    local.set 19
    local.get 0
    i32.load offset=76
    local.set 20
    local.get 0
    i32.load offset=80
    local.set 21
    local.get 0
    i32.load offset=84
    local.set 22
    local.get 0
    i32.load offset=88
    local.set 23
    local.get 0
    i32.load offset=92
    local.set 24
    call 0
    local.get 1
    local.get 2
    i32.add
    local.get 3
    i32.xor
    local.get 4
    i32.add
    local.get 5
    i32.xor
    local.get 6
    i32.add
    local.get 7
    i32.xor
    local.get 8
    i32.add
    local.get 9
    i32.xor
    local.get 10
    i32.add
    local.get 11
    i32.xor
    local.get 12
    i32.add
    local.get 13
    i32.xor
    local.get 14
    i32.add
    local.get 15
    i32.xor
    local.get 16
    i32.add
    local.get 17
    i32.xor
    local.get 18
    i32.add
    local.get 19
    i32.xor
    local.get 20
    i32.add
    local.get 21
    i32.xor
    local.get 22
    i32.add
    local.get 23
    i32.xor
    local.get 24
    i32.add))

;; -- ir
;; function 1 (i32) -> (i32) {
;; block0(v0: i32):
;;   v1 = extend_u.i64 v0
;;   v2 = iadd.i64 memory_base, v1
;;   v3 = heap_load.i32 [v2]
;;   v4 = heap_load.i32 [v2+4]
;;   v5 = heap_load.i32 [v2+8]
;;   v6 = heap_load.i32 [v2+12]
;;   v7 = heap_load.i32 [v2+16]
;;   v8 = heap_load.i32 [v2+20]
;;   v9 = heap_load.i32 [v2+24]
;;   v10 = heap_load.i32 [v2+28]
;;   v11 = heap_load.i32 [v2+32]
;;   v12 = heap_load.i32 [v2+36]
;;   v13 = heap_load.i32 [v2+40]
;;   v14 = heap_load.i32 [v2+44]
;;   v15 = heap_load.i32 [v2+48]
;;   v16 = heap_load.i32 [v2+52]
;;   v17 = heap_load.i32 [v2+56]
;;   v18 = heap_load.i32 [v2+60]
;;   v19 = heap_load.i32 [v2+64]
;;   v20 = heap_load.i32 [v2+68]
;;   v21 = heap_load.i32 [v2+72]
;;   v22 = heap_load.i32 [v2+76]
;;   v23 = heap_load.i32 [v2+80]
;;   v24 = heap_load.i32 [v2+84]
;;   v25 = heap_load.i32 [v2+88]
;;   v26 = heap_load.i32 [v2+92]
;;   call 0()
;;   v27 = iadd.i32 v3, v4
;;   v28 = xor.i32 v27, v5
;;   v29 = iadd.i32 v28, v6
;;   v30 = xor.i32 v29, v7
;;   v31 = iadd.i32 v30, v8
;;   v32 = xor.i32 v31, v9
;;   v33 = iadd.i32 v32, v10
;;   v34 = xor.i32 v33, v11
;;   v35 = iadd.i32 v34, v12
;;   v36 = xor.i32 v35, v13
;;   v37 = iadd.i32 v36, v14
;;   v38 = xor.i32 v37, v15
;;   v39 = iadd.i32 v38, v16
;;   v40 = xor.i32 v39, v17
;;   v41 = iadd.i32 v40, v18
;;   v42 = xor.i32 v41, v19
;;   v43 = iadd.i32 v42, v20
;;   v44 = xor.i32 v43, v21
;;   v45 = iadd.i32 v44, v22
;;   v46 = xor.i32 v45, v23
;;   v47 = iadd.i32 v46, v24
;;   v48 = xor.i32 v47, v25
;;   v49 = iadd.i32 v48, v26
;;   return v49
;; }

;; -- amd64
;; 372 bytes, frame of 208
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0xd0
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L1
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
;;   mov eax, dword ptr [r14 + rdi + 0x14]       ; i32.load offset=20
;;   mov qword ptr [rsp], rax
;;   mov eax, dword ptr [r14 + rdi + 0x18]       ; i32.load offset=24
;;   mov qword ptr [rsp + 8], rax
;;   mov eax, dword ptr [r14 + rdi + 0x1c]       ; i32.load offset=28
;;   mov qword ptr [rsp + 0x10], rax
;;   mov eax, dword ptr [r14 + rdi + 0x20]       ; i32.load offset=32
;;   mov qword ptr [rsp + 0x18], rax
;;   mov eax, dword ptr [r14 + rdi + 0x24]       ; i32.load offset=36
;;   mov qword ptr [rsp + 0x20], rax
;;   mov eax, dword ptr [r14 + rdi + 0x28]       ; i32.load offset=40
;;   mov qword ptr [rsp + 0x28], rax
;;   mov eax, dword ptr [r14 + rdi + 0x2c]       ; i32.load offset=44
;;   mov qword ptr [rsp + 0x30], rax
;;   mov eax, dword ptr [r14 + rdi + 0x30]       ; i32.load offset=48
;;   mov qword ptr [rsp + 0x38], rax
;;   mov eax, dword ptr [r14 + rdi + 0x34]       ; i32.load offset=52
;;   mov qword ptr [rsp + 0x40], rax
;;   mov eax, dword ptr [r14 + rdi + 0x38]       ; i32.load offset=56
;;   mov qword ptr [rsp + 0x48], rax
;;   mov eax, dword ptr [r14 + rdi + 0x3c]       ; i32.load offset=60
;;   mov qword ptr [rbp - 0x80], rax
;;   mov eax, dword ptr [r14 + rdi + 0x40]       ; i32.load offset=64
;;   mov qword ptr [rbp - 0x78], rax
;;   mov eax, dword ptr [r14 + rdi + 0x44]       ; i32.load offset=68
;;   mov qword ptr [rbp - 0x70], rax
;;   mov eax, dword ptr [r14 + rdi + 0x48]       ; i32.load offset=72
;;   mov qword ptr [rbp - 0x68], rax
;;   mov eax, dword ptr [r14 + rdi + 0x4c]       ; i32.load offset=76
;;   mov qword ptr [rbp - 0x60], rax
;;   mov eax, dword ptr [r14 + rdi + 0x50]       ; i32.load offset=80
;;   mov qword ptr [rbp - 0x58], rax
;;   mov eax, dword ptr [r14 + rdi + 0x54]       ; i32.load offset=84
;;   mov qword ptr [rbp - 0x50], rax
;;   mov eax, dword ptr [r14 + rdi + 0x58]       ; i32.load offset=88
;;   mov qword ptr [rbp - 0x48], rax
;;   mov eax, dword ptr [r14 + rdi + 0x5c]       ; i32.load offset=92
;;   mov qword ptr [rbp - 0x40], rax
;;   call qword ptr [slot 0]                     ; call 0
;;   lea eax, [rbx + r8]
;;   xor eax, r9d
;;   add eax, r12d
;;   xor eax, r13d
;;   add eax, dword ptr [rsp]
;;   xor eax, dword ptr [rsp + 8]
;;   add eax, dword ptr [rsp + 0x10]
;;   xor eax, dword ptr [rsp + 0x18]
;;   add eax, dword ptr [rsp + 0x20]
;;   xor eax, dword ptr [rsp + 0x28]
;;   add eax, dword ptr [rsp + 0x30]
;;   xor eax, dword ptr [rsp + 0x38]
;;   add eax, dword ptr [rsp + 0x40]
;;   xor eax, dword ptr [rsp + 0x48]
;;   add eax, dword ptr [rbp - 0x80]
;;   xor eax, dword ptr [rbp - 0x78]
;;   add eax, dword ptr [rbp - 0x70]
;;   xor eax, dword ptr [rbp - 0x68]
;;   add eax, dword ptr [rbp - 0x60]
;;   xor eax, dword ptr [rbp - 0x58]
;;   add eax, dword ptr [rbp - 0x50]
;;   xor eax, dword ptr [rbp - 0x48]
;;   add eax, dword ptr [rbp - 0x40]
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L1:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 416 bytes, frame of 192
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0xd0]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L1
;; L0:
;;   stp x19, x20, [sp, #0x90]
;;   stp x21, x22, [sp, #0xa0]
;;   stp x23, x24, [sp, #0xb0]
;;   stp x25, x26, [sp, #0xc0]
;;   add x0, x27, w0, uxtw
;;   ldr w19, [x0]                               ; i32.load
;;   ldr w20, [x0, #4]                           ; i32.load offset=4
;;   ldr w21, [x0, #8]                           ; i32.load offset=8
;;   ldr w22, [x0, #0xc]                         ; i32.load offset=12
;;   ldr w23, [x0, #0x10]                        ; i32.load offset=16
;;   ldr w24, [x0, #0x14]                        ; i32.load offset=20
;;   ldr w25, [x0, #0x18]                        ; i32.load offset=24
;;   ldr w26, [x0, #0x1c]                        ; i32.load offset=28
;;   ldr w1, [x0, #0x20]                         ; i32.load offset=32
;;   str x1, [sp, #0x10]
;;   ldr w1, [x0, #0x24]                         ; i32.load offset=36
;;   str x1, [sp, #0x18]
;;   ldr w1, [x0, #0x28]                         ; i32.load offset=40
;;   str x1, [sp, #0x20]
;;   ldr w1, [x0, #0x2c]                         ; i32.load offset=44
;;   str x1, [sp, #0x28]
;;   ldr w1, [x0, #0x30]                         ; i32.load offset=48
;;   str x1, [sp, #0x30]
;;   ldr w1, [x0, #0x34]                         ; i32.load offset=52
;;   str x1, [sp, #0x38]
;;   ldr w1, [x0, #0x38]                         ; i32.load offset=56
;;   str x1, [sp, #0x40]
;;   ldr w1, [x0, #0x3c]                         ; i32.load offset=60
;;   str x1, [sp, #0x48]
;;   ldr w1, [x0, #0x40]                         ; i32.load offset=64
;;   str x1, [sp, #0x50]
;;   ldr w1, [x0, #0x44]                         ; i32.load offset=68
;;   str x1, [sp, #0x58]
;;   ldr w1, [x0, #0x48]                         ; i32.load offset=72
;;   str x1, [sp, #0x60]
;;   ldr w1, [x0, #0x4c]                         ; i32.load offset=76
;;   str x1, [sp, #0x68]
;;   ldr w1, [x0, #0x50]                         ; i32.load offset=80
;;   str x1, [sp, #0x70]
;;   ldr w1, [x0, #0x54]                         ; i32.load offset=84
;;   str x1, [sp, #0x78]
;;   ldr w1, [x0, #0x58]                         ; i32.load offset=88
;;   str x1, [sp, #0x80]
;;   ldr w0, [x0, #0x5c]                         ; i32.load offset=92
;;   str x0, [sp, #0x88]
;;   adrp x16, slot 0
;;   ldr x17, [x16]
;;   blr x17                                     ; call 0
;;   add w0, w19, w20
;;   eor w0, w0, w21
;;   add w0, w0, w22
;;   eor w0, w0, w23
;;   add w0, w0, w24
;;   eor w0, w0, w25
;;   add w0, w0, w26
;;   ldr x1, [sp, #0x10]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x18]
;;   add w0, w0, w1
;;   ldr x1, [sp, #0x20]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x28]
;;   add w0, w0, w1
;;   ldr x1, [sp, #0x30]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x38]
;;   add w0, w0, w1
;;   ldr x1, [sp, #0x40]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x48]
;;   add w0, w0, w1
;;   ldr x1, [sp, #0x50]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x58]
;;   add w0, w0, w1
;;   ldr x1, [sp, #0x60]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x68]
;;   add w0, w0, w1
;;   ldr x1, [sp, #0x70]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x78]
;;   add w0, w0, w1
;;   ldr x1, [sp, #0x80]
;;   eor w0, w0, w1
;;   ldr x1, [sp, #0x88]
;;   add w0, w0, w1
;;   ldp x19, x20, [sp, #0x90]
;;   ldp x21, x22, [sp, #0xa0]
;;   ldp x23, x24, [sp, #0xb0]
;;   ldp x25, x26, [sp, #0xc0]
;;   ldp x29, x30, [sp], #0xd0
;;   ret
;; L1:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

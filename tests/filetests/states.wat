;; A state machine with more variables than registers, which come into a state from another state or from the table.
;; All that a variable is in its life has one place where it can: few ways into a state move what it is not about.

(module
  (memory 1)
  (func (export "f") (param i32 i32) (result i64)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    local.get 0
    i64.load
    local.set 2
    local.get 0
    i64.load offset=8
    local.set 3
    local.get 0
    i64.load offset=16
    local.set 4
    local.get 0
    i64.load offset=24
    local.set 5
    local.get 0
    i64.load offset=32
    local.set 6
    local.get 0
    i64.load offset=40
    local.set 7
    local.get 0
    i64.load offset=48
    local.set 8
    local.get 0
    i64.load offset=56
    local.set 9
    local.get 0
    i64.load offset=64
    local.set 10
    local.get 0
    i64.load offset=72
    local.set 11
    local.get 0
    i64.load offset=80
    local.set 12
    local.get 0
    i64.load offset=88
    local.set 13
    local.get 0
    i64.load offset=96
    local.set 14
    local.get 0
    i64.load offset=104
    local.set 15
    local.get 0
    i64.load offset=112
    local.set 16
    local.get 0
    i64.load offset=120
    local.set 17
    local.get 0
    i64.load offset=128
    local.set 18
    local.get 0
    i64.load offset=136
    local.set 19
    block
      block
        block
          local.get 1
          br_table 0 1 2
        end
        local.get 17
        local.get 2
        i64.xor
        local.set 17
      end
      local.get 18
      local.get 3
      i64.xor
      local.set 18
    end
    local.get 19
    local.get 4
    i64.xor
    local.set 19
    local.get 0
    local.get 2
    local.get 3
    i64.sub
    i64.store
    local.get 0
    local.get 4
    local.get 5
    i64.sub
    i64.store offset=16
    local.get 0
    local.get 6
    local.get 7
    i64.sub
    i64.store offset=32
    local.get 0
    local.get 8
    local.get 9
    i64.sub
    i64.store offset=48
    local.get 0
    local.get 10
    local.get 11
    i64.sub
    i64.store offset=64
    local.get 0
    local.get 12
    local.get 13
    i64.sub
    i64.store offset=80
    local.get 0
    local.get 14
    local.get 15
    i64.sub
    i64.store offset=96
    local.get 0
    local.get 16
    local.get 17
    i64.sub
    i64.store offset=112
    local.get 0
    local.get 18
    local.get 19
    i64.sub
    i64.store offset=128
    i64.const 0))

;; -- ir
;; function 0 (i32, i32) -> (i64) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = iadd.i64 memory_base, v2
;;   v4 = heap_load.i64 [v3]
;;   v5 = heap_load.i64 [v3+8]
;;   v6 = heap_load.i64 [v3+16]
;;   v7 = heap_load.i64 [v3+24]
;;   v8 = heap_load.i64 [v3+32]
;;   v9 = heap_load.i64 [v3+40]
;;   v10 = heap_load.i64 [v3+48]
;;   v11 = heap_load.i64 [v3+56]
;;   v12 = heap_load.i64 [v3+64]
;;   v13 = heap_load.i64 [v3+72]
;;   v14 = heap_load.i64 [v3+80]
;;   v15 = heap_load.i64 [v3+88]
;;   v16 = heap_load.i64 [v3+96]
;;   v17 = heap_load.i64 [v3+104]
;;   v18 = heap_load.i64 [v3+112]
;;   v19 = heap_load.i64 [v3+120]
;;   v20 = heap_load.i64 [v3+128]
;;   v21 = heap_load.i64 [v3+136]
;;   br_table v1, block1, block2(v19), block3(v19, v20)
;; block1:
;;   v22 = xor.i64 v19, v4
;;   jump block2(v22)
;; block2(v23: i64):
;;   v24 = xor.i64 v20, v5
;;   jump block3(v23, v24)
;; block3(v25: i64, v26: i64):
;;   v27 = xor.i64 v21, v6
;;   v28 = isub.i64 v4, v5
;;   heap_store.i64 [v3], v28
;;   v29 = isub.i64 v6, v7
;;   heap_store.i64 [v3+16], v29
;;   v30 = isub.i64 v8, v9
;;   heap_store.i64 [v3+32], v30
;;   v31 = isub.i64 v10, v11
;;   heap_store.i64 [v3+48], v31
;;   v32 = isub.i64 v12, v13
;;   heap_store.i64 [v3+64], v32
;;   v33 = isub.i64 v14, v15
;;   heap_store.i64 [v3+80], v33
;;   v34 = isub.i64 v16, v17
;;   heap_store.i64 [v3+96], v34
;;   v35 = isub.i64 v18, v25
;;   heap_store.i64 [v3+112], v35
;;   v36 = isub.i64 v26, v27
;;   heap_store.i64 [v3+128], v36
;;   return 0:i64
;; }

;; -- amd64
;; 336 bytes, frame of 128
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x80
;;   mov qword ptr [rbp - 0x30], rbx
;;   mov qword ptr [rbp - 0x28], r8
;;   mov qword ptr [rbp - 0x20], r9
;;   mov qword ptr [rbp - 0x18], r12
;;   mov qword ptr [rbp - 0x10], r13
;;   mov rax, qword ptr [r14 + rdi]              ; i64.load
;;   mov rcx, qword ptr [r14 + rdi + 8]          ; i64.load offset=8
;;   mov rdx, qword ptr [r14 + rdi + 0x10]       ; i64.load offset=16
;;   mov r10, qword ptr [r14 + rdi + 0x18]       ; i64.load offset=24
;;   mov rbx, qword ptr [r14 + rdi + 0x20]       ; i64.load offset=32
;;   mov r8, qword ptr [r14 + rdi + 0x28]        ; i64.load offset=40
;;   mov qword ptr [rbp - 0x80], r8
;;   mov r9, qword ptr [r14 + rdi + 0x30]        ; i64.load offset=48
;;   mov qword ptr [rbp - 0x78], r9
;;   mov r12, qword ptr [r14 + rdi + 0x38]       ; i64.load offset=56
;;   mov qword ptr [rbp - 0x70], r12
;;   mov r13, qword ptr [r14 + rdi + 0x40]       ; i64.load offset=64
;;   mov qword ptr [rbp - 0x68], r13
;;   mov r13, qword ptr [r14 + rdi + 0x48]       ; i64.load offset=72
;;   mov qword ptr [rbp - 0x60], r13
;;   mov r13, qword ptr [r14 + rdi + 0x50]       ; i64.load offset=80
;;   mov qword ptr [rbp - 0x58], r13
;;   mov r13, qword ptr [r14 + rdi + 0x58]       ; i64.load offset=88
;;   mov qword ptr [rbp - 0x50], r13
;;   mov r13, qword ptr [r14 + rdi + 0x60]       ; i64.load offset=96
;;   mov qword ptr [rbp - 0x48], r13
;;   mov r13, qword ptr [r14 + rdi + 0x68]       ; i64.load offset=104
;;   mov qword ptr [rbp - 0x40], r13
;;   mov r13, qword ptr [r14 + rdi + 0x70]       ; i64.load offset=112
;;   mov qword ptr [rbp - 0x38], r13
;;   mov r13, qword ptr [r14 + rdi + 0x78]       ; i64.load offset=120
;;   mov r12, qword ptr [r14 + rdi + 0x80]       ; i64.load offset=128
;;   mov r9, qword ptr [r14 + rdi + 0x88]        ; i64.load offset=136
;;   cmp esi, 2
;;   jae L2
;;   lea r11, [L3]
;;   movsxd r8, dword ptr [r11 + rsi*4]
;;   add r11, r8
;;   jmp r11
;; L0:
;;   xor r13, rax
;; L1:
;;   xor r12, rcx
;; L2:
;;   xor r9, rdx
;;   sub rax, rcx
;;   mov qword ptr [r14 + rdi], rax              ; i64.store
;;   sub rdx, r10
;;   mov qword ptr [r14 + rdi + 0x10], rdx       ; i64.store offset=16
;;   sub rbx, qword ptr [rbp - 0x80]
;;   mov qword ptr [r14 + rdi + 0x20], rbx       ; i64.store offset=32
;;   mov rax, qword ptr [rbp - 0x78]
;;   sub rax, qword ptr [rbp - 0x70]
;;   mov qword ptr [r14 + rdi + 0x30], rax       ; i64.store offset=48
;;   mov rax, qword ptr [rbp - 0x68]
;;   sub rax, qword ptr [rbp - 0x60]
;;   mov qword ptr [r14 + rdi + 0x40], rax       ; i64.store offset=64
;;   mov rax, qword ptr [rbp - 0x58]
;;   sub rax, qword ptr [rbp - 0x50]
;;   mov qword ptr [r14 + rdi + 0x50], rax       ; i64.store offset=80
;;   mov rax, qword ptr [rbp - 0x48]
;;   sub rax, qword ptr [rbp - 0x40]
;;   mov qword ptr [r14 + rdi + 0x60], rax       ; i64.store offset=96
;;   mov rax, qword ptr [rbp - 0x38]
;;   sub rax, r13
;;   mov qword ptr [r14 + rdi + 0x70], rax       ; i64.store offset=112
;;   sub r12, r9
;;   mov qword ptr [r14 + rdi + 0x80], r12       ; i64.store offset=128
;;   xor eax, eax
;;   mov rbx, qword ptr [rbp - 0x30]
;;   mov r8, qword ptr [rbp - 0x28]
;;   mov r9, qword ptr [rbp - 0x20]
;;   mov r12, qword ptr [rbp - 0x18]
;;   mov r13, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L3:
;;   L0 L1

;; -- arm64
;; 236 bytes, frame of 32
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x30]!
;;   mov x29, sp
;;   stp x19, x20, [sp, #0x10]
;;   stp x21, x22, [sp, #0x20]
;;   add x0, x27, w0, uxtw
;;   ldr x2, [x0]                                ; i64.load
;;   ldr x3, [x0, #8]                            ; i64.load offset=8
;;   ldr x4, [x0, #0x10]                         ; i64.load offset=16
;;   ldr x5, [x0, #0x18]                         ; i64.load offset=24
;;   ldr x6, [x0, #0x20]                         ; i64.load offset=32
;;   ldr x7, [x0, #0x28]                         ; i64.load offset=40
;;   ldr x8, [x0, #0x30]                         ; i64.load offset=48
;;   ldr x9, [x0, #0x38]                         ; i64.load offset=56
;;   ldr x10, [x0, #0x40]                        ; i64.load offset=64
;;   ldr x11, [x0, #0x48]                        ; i64.load offset=72
;;   ldr x12, [x0, #0x50]                        ; i64.load offset=80
;;   ldr x13, [x0, #0x58]                        ; i64.load offset=88
;;   ldr x14, [x0, #0x60]                        ; i64.load offset=96
;;   ldr x15, [x0, #0x68]                        ; i64.load offset=104
;;   ldr x19, [x0, #0x70]                        ; i64.load offset=112
;;   ldr x20, [x0, #0x78]                        ; i64.load offset=120
;;   ldr x21, [x0, #0x80]                        ; i64.load offset=128
;;   ldr x22, [x0, #0x88]                        ; i64.load offset=136
;;   cmp w1, #2
;;   b.hs L2
;;   adr x16, L3
;;   ldrsw x17, [x16, w1, uxtw #2]
;;   add x16, x16, x17
;;   br x16
;; L0:
;;   eor x20, x20, x2
;; L1:
;;   eor x21, x21, x3
;; L2:
;;   eor x1, x22, x4
;;   sub x2, x2, x3
;;   str x2, [x0]                                ; i64.store
;;   sub x2, x4, x5
;;   str x2, [x0, #0x10]                         ; i64.store offset=16
;;   sub x2, x6, x7
;;   str x2, [x0, #0x20]                         ; i64.store offset=32
;;   sub x2, x8, x9
;;   str x2, [x0, #0x30]                         ; i64.store offset=48
;;   sub x2, x10, x11
;;   str x2, [x0, #0x40]                         ; i64.store offset=64
;;   sub x2, x12, x13
;;   str x2, [x0, #0x50]                         ; i64.store offset=80
;;   sub x2, x14, x15
;;   str x2, [x0, #0x60]                         ; i64.store offset=96
;;   sub x2, x19, x20
;;   str x2, [x0, #0x70]                         ; i64.store offset=112
;;   sub x1, x21, x1
;;   str x1, [x0, #0x80]                         ; i64.store offset=128
;;   mov w0, #0
;;   ldp x19, x20, [sp, #0x10]
;;   ldp x21, x22, [sp, #0x20]
;;   ldp x29, x30, [sp], #0x30
;;   ret
;; L3:
;;   L0 L1

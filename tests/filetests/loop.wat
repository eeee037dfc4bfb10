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
;;   poll
;;   v5 = extend_u.i64 v3
;;   v6 = iadd.i64 memory_base, v5
;;   v7 = heap_load.i32 [v6]
;;   v8 = iadd.i32 v2, v7
;;   v9 = iadd.i32 v3, 4:i32
;;   v10 = iadd.i32 v4, -1:i32
;;   brif v10, block1(v8, v9, v10), block2
;; block2:
;;   return v8
;; }

;; -- amd64
;; 76 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L3
;; L0:
;;   mov eax, 0
;;   nop dword ptr [rax + rax]
;; L1:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L2:
;;   add eax, dword ptr [r14 + rdi]              ; i32.load
;;   add edi, 4
;;   add esi, -1
;;   test esi, esi
;;   jne L1
;;   pop rbp
;;   ret
;; L3:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L4:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L2

;; -- arm64
;; 104 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L0:
;;   mov w2, #0
;; L1:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L2:
;;   ldr w3, [x27, w0, uxtw]                     ; i32.load
;;   add w2, w2, w3
;;   add w0, w0, #4
;;   sub w1, w1, #1
;;   cbnz w1, L1
;;   mov x0, x2
;;   ldp x29, x30, [sp], #0x10
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

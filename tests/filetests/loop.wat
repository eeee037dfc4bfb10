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
;; 47 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   xor eax, eax
;;   nop
;; L0:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L2
;; L1:
;;   add eax, dword ptr [r14 + rdi]              ; i32.load
;;   add edi, 4
;;   add esi, -1
;;   test esi, esi
;;   jne L0
;;   pop rbp
;;   ret
;; L2:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1

;; -- arm64
;; 80 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   mov w2, #0
;; L0:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L2
;; L1:
;;   ldr w3, [x27, w0, uxtw]                     ; i32.load
;;   add w2, w2, w3
;;   add w0, w0, #4
;;   sub w1, w1, #1
;;   cbnz w1, L0
;;   mov x0, x2
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L2:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1

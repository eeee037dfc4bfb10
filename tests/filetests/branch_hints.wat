;; Branches with hints: what is not expected to run stands behind the rest, also out of a loop.

(module
  (memory 1)
  (func (export "f") (param i32 i32) (result i32)
    (local i32)
    loop
      local.get 0
      i32.const 15
      i32.and
      i32.eqz
      (@metadata.code.branch_hint "\00")
      if
        local.get 1
        i32.const 40503
        i32.mul
        local.get 0
        i32.rotl
        local.set 1
      end
      local.get 1
      local.get 0
      i32.load
      i32.add
      local.set 1
      local.get 0
      i32.const 4
      i32.sub
      local.tee 0
      (@metadata.code.branch_hint "\01")
      br_if 0
    end
    local.get 1))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   jump block1(v0, v1)
;; block1(v2: i32, v3: i32):  ; loop, depth 1
;;   poll
;;   v4 = and.i32 v2, 15:i32
;;   brif v4, block3(v3), block2
;; block2:
;;   v5 = imul.i32 v3, 40503:i32
;;   v6 = rotl.i32 v5, v2
;;   jump block3(v6)
;; block3(v7: i32):
;;   v8 = extend_u.i64 v2
;;   v9 = iadd.i64 memory_base, v8
;;   v10 = heap_load.i32 [v9]
;;   v11 = iadd.i32 v7, v10
;;   v12 = iadd.i32 v2, -4:i32
;;   brif v12, block1(v12, v11), block4
;; block4:
;;   return v11
;; }

;; -- amd64
;; 68 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   nop dword ptr [rax]
;; L0:
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L1:
;;   test edi, 0xf
;;   je L3
;; L2:
;;   add esi, dword ptr [r14 + rdi]              ; i32.load
;;   add edi, -4
;;   test edi, edi
;;   jne L0
;;   mov eax, esi
;;   pop rbp
;;   ret
;; L3:
;;   imul eax, esi, 0x9e37
;;   mov ecx, edi
;;   rol eax, cl
;;   mov esi, eax
;;   jmp L2
;; L4:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]                 ; loop
;;   jmp L1

;; -- arm64
;; 100 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;; L0:
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L1:
;;   tst w0, #0xf
;;   b.eq L3
;; L2:
;;   ldr w2, [x27, w0, uxtw]                     ; i32.load
;;   add w1, w1, w2
;;   sub w0, w0, #4
;;   cbnz w0, L0
;;   mov x0, x1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L3:
;;   mov w2, #0x9e37
;;   mul w1, w1, w2
;;   neg w2, w0
;;   ror w1, w1, w2
;;   b L2
;; L4:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16                                     ; loop
;;   b L1

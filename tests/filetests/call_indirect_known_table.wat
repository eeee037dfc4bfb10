;; A table that nothing outside of the module knows and no instruction writes: its size and place are constant, and its
;; functions are the instance's own. That there is a function of another type leaves the check of the type.

(module
  (type (func (param i32) (result i32)))
  (table 10 funcref)
  (elem (i32.const 1) $g $h)
  (func (export "f") (param i32 i32) (result i32)
    local.get 1
    local.get 0
    call_indirect (type 0)
    i32.const 1
    i32.add)
  (func $g (param i32) (result i32)
    local.get 0)
  (func $h))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = icmp.i32 ge_u v0, 10:i32
;;   trap_if v3, undefined_element
;;   v4 = load_invariant.i64 [vmctx+112]
;;   v5 = load_invariant.i64 [v4]
;;   v6 = shl.i64 v2, 3:i64
;;   v7 = iadd.i64 v5, v6
;;   v8 = load.i64 [v7]
;;   v9 = icmp.i64 eq v8, 0:i64
;;   trap_if v9, uninitialized_element
;;   v10 = load.i64 [v8+16]
;;   v11 = load_invariant.i64 [vmctx+120]
;;   v12 = icmp.i64 ne v10, v11
;;   trap_if v12, indirect_call_type_mismatch
;;   v13: i32 = call_ref own v8(v1)
;;   v14 = iadd.i32 v13, 1:i32
;;   return v14
;; }

;; -- amd64
;; 132 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L0:
;;   cmp edi, 0xa
;;   jae L1
;;   mov rax, qword ptr [r15 + 0x70]
;;   mov rax, qword ptr [rax]
;;   mov r10, qword ptr [rax + rdi*8]
;;   test r10, r10
;;   je L2
;;   mov rax, qword ptr [r15 + 0x78]
;;   cmp qword ptr [r10 + 0x10], rax
;;   jne L3
;;   mov edi, esi
;;   mov r11, qword ptr [r10]
;;   add r11, 8
;;   call r11                                    ; call_indirect (type 0)
;;   add eax, 1
;;   pop rbp
;;   ret
;; L1:
;;   call L5                                     ; call_indirect (type 0)
;; L2:
;;   call L6                                     ; call_indirect (type 0)
;; L3:
;;   call L7                                     ; call_indirect (type 0)
;; L4:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L5:
;;   mov r11d, 4
;;   jmp qword ptr [r15 + 0x18]
;; L6:
;;   mov r11d, 5
;;   jmp qword ptr [r15 + 0x18]
;; L7:
;;   mov r11d, 6
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 152 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L0:
;;   cmp w0, #0xa
;;   b.hs L1
;;   ldr x2, [x28, #0x70]
;;   ldr x2, [x2]
;;   ldr x15, [x2, w0, uxtw #3]
;;   cbz x15, L2
;;   ldr x0, [x15, #0x10]
;;   ldr x2, [x28, #0x78]
;;   cmp x0, x2
;;   b.ne L3
;;   mov x0, x1
;;   ldr x16, [x15]
;;   add x16, x16, #8
;;   blr x16                                     ; call_indirect (type 0)
;;   add w0, w0, #1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L1:
;;   bl L5                                       ; call_indirect (type 0)
;; L2:
;;   bl L6                                       ; call_indirect (type 0)
;; L3:
;;   bl L7                                       ; call_indirect (type 0)
;; L4:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0
;; L5:
;;   mov w16, #4
;;   b L8
;; L6:
;;   mov w16, #5
;;   b L8
;; L7:
;;   mov w16, #6
;; L8:
;;   ldr x17, [x28, #0x18]
;;   br x17

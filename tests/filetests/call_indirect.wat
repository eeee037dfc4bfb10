;; Bounds of the table, null and the type are checked; then the call through the funcref.

(module
  (type (func (param i32) (result i32)))
  (table (export "table") 10 funcref)
  (func (export "f") (param i32 i32) (result i32)
    local.get 1
    local.get 0
    call_indirect (type 0)
    i32.const 1
    i32.add))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = load_invariant.i64 [vmctx+112]
;;   v4 = load.i64 [v3+8]
;;   v5 = icmp.i64 ge_u v2, v4
;;   trap_if v5, undefined_element
;;   v6 = load.i64 [v3]
;;   v7 = shl.i64 v2, 3:i64
;;   v8 = iadd.i64 v6, v7
;;   v9 = load.i64 [v8]
;;   v10 = icmp.i64 eq v9, 0:i64
;;   trap_if v10, uninitialized_element
;;   v11 = load.i64 [v9+16]
;;   v12 = load_invariant.i64 [vmctx+120]
;;   v13 = icmp.i64 ne v11, v12
;;   trap_if v13, indirect_call_type_mismatch
;;   v14: i32 = call_ref v9(v1)
;;   v15 = iadd.i32 v14, 1:i32
;;   return v15
;; }

;; -- amd64
;; 142 bytes, frame of 16
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x10
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L4
;; L0:
;;   mov qword ptr [rbp - 0x10], r15
;;   mov rax, qword ptr [r15 + 0x70]
;;   cmp rdi, qword ptr [rax + 8]
;;   jae L1
;;   mov rax, qword ptr [rax]
;;   mov r10, qword ptr [rax + rdi*8]
;;   test r10, r10
;;   je L2
;;   mov rax, qword ptr [r15 + 0x78]
;;   cmp qword ptr [r10 + 0x10], rax
;;   jne L3
;;   mov edi, esi
;;   call qword ptr [r10]                        ; call_indirect (type 0)
;;   mov r15, qword ptr [rbp - 0x10]
;;   mov r14, qword ptr [r15 + 0x10]
;;   add eax, 1
;;   leave
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
;; 164 bytes, frame of 16
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x20]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L4
;; L0:
;;   str x28, [sp, #0x10]
;;   ldr x2, [x28, #0x70]
;;   ldr x3, [x2, #8]
;;   cmp x0, x3
;;   b.hs L1
;;   ldr x2, [x2]
;;   ldr x15, [x2, w0, uxtw #3]
;;   cbz x15, L2
;;   ldr x0, [x15, #0x10]
;;   ldr x2, [x28, #0x78]
;;   cmp x0, x2
;;   b.ne L3
;;   mov x0, x1
;;   ldr x16, [x15]
;;   blr x16                                     ; call_indirect (type 0)
;;   ldr x28, [sp, #0x10]
;;   ldr x27, [x28, #0x10]
;;   add w0, w0, #1
;;   ldp x29, x30, [sp], #0x20
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

;; A call through a table whose type may have subtypes: the callee's type or one above it is that type.

(module
  (type (sub (func (param i32) (result i32))))
  (type (sub 0 (func (param i32) (result i32))))
  (table (export "table") 10 funcref)
  (func (export "f") (param i32) (result i32)
    i32.const 7
    local.get 0
    call_indirect (type 1)))

;; -- ir
;; function 0 (i32) -> (i32) {
;; block0(v0: i32):
;;   v1 = extend_u.i64 v0
;;   v2 = load_invariant.i64 [vmctx+112]
;;   v3 = load.i64 [v2+8]
;;   v4 = icmp.i64 ge_u v1, v3
;;   trap_if v4, undefined_element
;;   v5 = load.i64 [v2]
;;   v6 = shl.i64 v1, 3:i64
;;   v7 = iadd.i64 v5, v6
;;   v8 = load.i64 [v7]
;;   v9 = icmp.i64 eq v8, 0:i64
;;   trap_if v9, uninitialized_element
;;   v10 = load.i64 [v8+32]
;;   v11 = icmp.i64 eq v10, 0:i64
;;   trap_if v11, indirect_call_type_mismatch
;;   v12 = load.i64 [v10]
;;   v13 = icmp.i64 lt_u v12, 2:i64
;;   trap_if v13, indirect_call_type_mismatch
;;   v14 = load.i64 [v10+16]
;;   v15 = load_invariant.i64 [vmctx+128]
;;   v16 = icmp.i64 ne v14, v15
;;   trap_if v16, indirect_call_type_mismatch
;;   v17: i32 = call_ref v8(7:i32)
;;   return v17
;; }

;; -- amd64
;; 178 bytes, frame of 16
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x10
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L6
;; L0:
;;   mov qword ptr [rbp - 0x10], r15
;;   mov rax, qword ptr [r15 + 0x70]
;;   cmp rdi, qword ptr [rax + 8]
;;   jae L1
;;   mov rax, qword ptr [rax]
;;   mov r10, qword ptr [rax + rdi*8]
;;   test r10, r10
;;   je L2
;;   mov rax, qword ptr [r10 + 0x20]
;;   test rax, rax
;;   je L3
;;   cmp qword ptr [rax], 2
;;   jb L4
;;   mov rcx, qword ptr [r15 + 0x80]
;;   cmp qword ptr [rax + 0x10], rcx
;;   jne L5
;;   mov edi, 7
;;   call qword ptr [r10]                        ; call_indirect (type 1)
;;   mov r15, qword ptr [rbp - 0x10]
;;   mov r14, qword ptr [r15 + 0x10]
;;   leave
;;   ret
;; L1:
;;   call L7                                     ; call_indirect (type 1)
;; L2:
;;   call L8                                     ; call_indirect (type 1)
;; L3:
;;   call L9                                     ; call_indirect (type 1)
;; L4:
;;   call L9                                     ; call_indirect (type 1)
;; L5:
;;   call L9                                     ; call_indirect (type 1)
;; L6:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L7:
;;   mov r11d, 4
;;   jmp qword ptr [r15 + 0x18]
;; L8:
;;   mov r11d, 5
;;   jmp qword ptr [r15 + 0x18]
;; L9:
;;   mov r11d, 6
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 188 bytes, frame of 16
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x20]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L6
;; L0:
;;   str x28, [sp, #0x10]
;;   ldr x1, [x28, #0x70]
;;   ldr x2, [x1, #8]
;;   cmp x0, x2
;;   b.hs L1
;;   ldr x1, [x1]
;;   ldr x15, [x1, w0, uxtw #3]
;;   cbz x15, L2
;;   ldr x0, [x15, #0x20]
;;   cbz x0, L3
;;   ldr x1, [x0]
;;   cmp x1, #2
;;   b.lo L4
;;   ldr x0, [x0, #0x10]
;;   ldr x1, [x28, #0x80]
;;   cmp x0, x1
;;   b.ne L5
;;   mov w0, #7
;;   ldr x16, [x15]
;;   blr x16                                     ; call_indirect (type 1)
;;   ldr x28, [sp, #0x10]
;;   ldr x27, [x28, #0x10]
;;   ldp x29, x30, [sp], #0x20
;;   ret
;; L1:
;;   bl L7                                       ; call_indirect (type 1)
;; L2:
;;   bl L8                                       ; call_indirect (type 1)
;; L3:
;;   bl L9                                       ; call_indirect (type 1)
;; L4:
;;   bl L9                                       ; call_indirect (type 1)
;; L5:
;;   bl L9                                       ; call_indirect (type 1)
;; L6:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0
;; L7:
;;   mov w16, #4
;;   b L10
;; L8:
;;   mov w16, #5
;;   b L10
;; L9:
;;   mov w16, #6
;; L10:
;;   ldr x17, [x28, #0x18]
;;   br x17

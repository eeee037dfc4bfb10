;; Tail calls through a table: the callee may be of another instance, which the caller must not notice.

(module
  (type (func (param i32) (result i32)))
  (table (export "table") 10 funcref)
  (func (export "f") (param i32) (result i32)
    i32.const 7
    local.get 0
    return_call_indirect (type 0)))

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
;;   v10 = load.i64 [v8+16]
;;   v11 = load_invariant.i64 [vmctx+120]
;;   v12 = icmp.i64 ne v10, v11
;;   trap_if v12, indirect_call_type_mismatch
;;   return_call_ref v8(7:i32)
;; }

;; -- amd64
;; 195 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L6
;; L0:
;;   mov rax, qword ptr [r15 + 0x70]
;;   cmp rdi, qword ptr [rax + 8]
;;   jae L3
;;   mov rax, qword ptr [rax]
;;   mov r10, qword ptr [rax + rdi*8]
;;   test r10, r10
;;   je L4
;;   mov rax, qword ptr [r15 + 0x78]
;;   cmp qword ptr [r10 + 0x10], rax
;;   jne L5
;;   mov edi, 7
;;   cmp r15, qword ptr [r10 + 8]
;;   jne L1
;;   pop rbp
;;   jmp qword ptr [r10]
;; L1:
;;   mov r11, qword ptr [r15 + 0x48]
;;   cmp r11, qword ptr [rbp + 8]
;;   mov rax, qword ptr [rbp]
;;   je L2
;;   lea rsp, [rbp - 0x10]
;;   mov qword ptr [rbp - 8], r15
;;   mov qword ptr [rbp - 0x10], 0
;;   mov rax, rbp
;; L2:
;;   lea rsp, [rax - 0x10]
;;   mov rbp, rax
;;   mov r11, qword ptr [r15 + 0x48]
;;   push r11
;;   jmp qword ptr [r10]
;; L3:
;;   call L7                                     ; return_call_indirect (type 0)
;; L4:
;;   call L8                                     ; return_call_indirect (type 0)
;; L5:
;;   call L9                                     ; return_call_indirect (type 0)
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
;; 216 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L6
;; L0:
;;   ldr x1, [x28, #0x70]
;;   ldr x2, [x1, #8]
;;   cmp x0, x2
;;   b.hs L3
;;   ldr x1, [x1]
;;   ldr x15, [x1, w0, uxtw #3]
;;   cbz x15, L4
;;   ldr x0, [x15, #0x10]
;;   ldr x1, [x28, #0x78]
;;   cmp x0, x1
;;   b.ne L5
;;   mov w0, #7
;;   ldr x16, [x15, #8]
;;   cmp x28, x16
;;   b.ne L1
;;   ldp x29, x30, [sp], #0x10
;;   ldr x16, [x15]
;;   br x16
;; L1:
;;   ldr x11, [x28, #0x48]
;;   ldp x9, x10, [x29]
;;   cmp x10, x11
;;   b.eq L2
;;   sub sp, x29, #0x10
;;   stp x9, x10, [x29]
;;   mov w13, #0
;;   stp x13, x28, [x29, #-0x10]
;;   add x9, x29, #0
;; L2:
;;   sub x13, x9, #0x10
;;   mov sp, x13
;;   mov x29, x9
;;   mov x30, x11
;;   ldr x16, [x15]
;;   br x16
;; L3:
;;   bl L7                                       ; return_call_indirect (type 0)
;; L4:
;;   bl L8                                       ; return_call_indirect (type 0)
;; L5:
;;   bl L9                                       ; return_call_indirect (type 0)
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

;; The same where all functions in the table have the type that is called, one of them imported: neither is the type
;; looked at, nor is what is pinned known to stay.

(module
  (type (func (param i32) (result i32)))
  (import "" "" (func $imported (type 0)))
  (table 10 funcref)
  (elem (i32.const 1) $imported $g)
  (func (export "f") (param i32 i32) (result i32)
    local.get 1
    local.get 0
    call_indirect (type 0)
    i32.const 1
    i32.add)
  (func $g (param i32) (result i32)
    local.get 0))

;; -- ir
;; function 1 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = icmp.i32 ge_u v0, 10:i32
;;   trap_if v3, undefined_element
;;   v4 = load_invariant.i64 [vmctx+120]
;;   v5 = load_invariant.i64 [v4]
;;   v6 = shl.i64 v2, 3:i64
;;   v7 = iadd.i64 v5, v6
;;   v8 = load.i64 [v7]
;;   v9 = icmp.i64 eq v8, 0:i64
;;   trap_if v9, uninitialized_element
;;   v10: i32 = call_ref v8(v1)
;;   v11 = iadd.i32 v10, 1:i32
;;   return v11
;; }

;; -- amd64
;; 112 bytes, frame of 16
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x10
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L3
;; L0:
;;   mov qword ptr [rbp - 0x10], r15
;;   cmp edi, 0xa
;;   jae L1
;;   mov rax, qword ptr [r15 + 0x78]
;;   mov rax, qword ptr [rax]
;;   mov r10, qword ptr [rax + rdi*8]
;;   test r10, r10
;;   je L2
;;   mov edi, esi
;;   call qword ptr [r10]                        ; call_indirect (type 0)
;;   mov r15, qword ptr [rbp - 0x10]
;;   mov r14, qword ptr [r15 + 0x10]
;;   add eax, 1
;;   leave
;;   ret
;; L1:
;;   call L4                                     ; call_indirect (type 0)
;; L2:
;;   call L5                                     ; call_indirect (type 0)
;; L3:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0
;; L4:
;;   mov r11d, 4
;;   jmp qword ptr [r15 + 0x18]
;; L5:
;;   mov r11d, 5
;;   jmp qword ptr [r15 + 0x18]

;; -- arm64
;; 132 bytes, frame of 16
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x20]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L0:
;;   str x28, [sp, #0x10]
;;   cmp w0, #0xa
;;   b.hs L1
;;   ldr x2, [x28, #0x78]
;;   ldr x2, [x2]
;;   ldr x15, [x2, w0, uxtw #3]
;;   cbz x15, L2
;;   mov x0, x1
;;   ldr x16, [x15]
;;   blr x16                                     ; call_indirect (type 0)
;;   ldr x28, [sp, #0x10]
;;   ldr x27, [x28, #0x10]
;;   add w0, w0, #1
;;   ldp x29, x30, [sp], #0x20
;;   ret
;; L1:
;;   bl L4                                       ; call_indirect (type 0)
;; L2:
;;   bl L5                                       ; call_indirect (type 0)
;; L3:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0
;; L4:
;;   mov w16, #4
;;   b L6
;; L5:
;;   mov w16, #5
;; L6:
;;   ldr x17, [x28, #0x18]
;;   br x17

;; Branches on null, and on what is known not to be null.

(module
  (type (func (result i32)))
  (func (export "f") (param (ref null 0)) (result i32)
    block
      block (result (ref 0))
        local.get 0
        br_on_non_null 0
        br 1
      end
      br_on_null 0
      ref.as_non_null
      call_ref 0
      return
    end
    i32.const 7))

;; -- ir
;; function 0 (i64) -> (i32) {
;; block0(v0: i64):
;;   v1 = icmp.i64 ne v0, 0:i64
;;   brif v1, block2, block1
;; block1:
;;   jump block3
;; block2:
;;   v2: i32 = call_ref v0()
;;   return v2
;; block3:
;;   return 7:i32
;; }

;; -- amd64
;; 63 bytes, frame of 16
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x10
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L2
;; L0:
;;   mov qword ptr [rbp - 0x10], r15
;;   test rdi, rdi
;;   je L1
;;   mov r10, rdi
;;   call qword ptr [r10]                        ; call_ref 0
;;   mov r15, qword ptr [rbp - 0x10]
;;   mov r14, qword ptr [r15 + 0x10]
;;   leave
;;   ret
;; L1:
;;   mov eax, 7
;;   leave
;;   ret
;; L2:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 92 bytes, frame of 16
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x20]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L2
;; L0:
;;   str x28, [sp, #0x10]
;;   cbz x0, L1
;;   mov x15, x0
;;   ldr x16, [x15]
;;   blr x16                                     ; call_ref 0
;;   ldr x28, [sp, #0x10]
;;   ldr x27, [x28, #0x10]
;;   ldp x29, x30, [sp], #0x20
;;   ret
;; L1:
;;   mov w0, #7
;;   ldp x29, x30, [sp], #0x20
;;   ret
;; L2:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

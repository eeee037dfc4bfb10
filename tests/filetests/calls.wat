;; A function of the module, one that is imported, and a value that lives across both.

(module
  (import "m" "g" (func (param i32 f64) (result f64)))
  (func (param i32) (result i32)
    loop ;; (not inlined)
    end
    local.get 0)
  (func (export "f") (param i32 f64) (result f64)
    local.get 0
    call 1
    local.get 1
    call 0
    local.get 0
    f64.convert_i32_u
    f64.add))

;; -- ir
;; function 2 (i32, f64) -> (f64) {
;; block0(v0: i32, v1: f64):
;;   v2: i32 = call 1(v0)
;;   v3 = load_invariant.i64 [vmctx+112]
;;   v4: f64 = call_ref v3(v2, v1)
;;   v5 = itof_u.f64 v0
;;   v6 = fadd.f64 v4, v5
;;   return v6
;; }

;; -- amd64
;; 94 bytes, frame of 32
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x20
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L1
;; L0:
;;   mov qword ptr [rbp - 0x10], rbx
;;   mov qword ptr [rbp - 8], r15
;;   mov ebx, edi
;;   movsd qword ptr [rbp - 0x20], xmm0
;;   mov edi, ebx
;;   call qword ptr [slot 1]                     ; call 1
;;   mov r10, qword ptr [r15 + 0x70]
;;   mov edi, eax
;;   movsd xmm0, qword ptr [rbp - 0x20]
;;   call qword ptr [r10]                        ; call 0
;;   mov r15, qword ptr [rbp - 8]
;;   mov r14, qword ptr [r15 + 0x10]
;;   xorps xmm1, xmm1
;;   cvtsi2sd xmm1, rbx
;;   addsd xmm0, xmm1
;;   mov rbx, qword ptr [rbp - 0x10]
;;   leave
;;   ret
;; L1:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 120 bytes, frame of 32
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x30]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L1
;; L0:
;;   str x19, [sp, #0x20]
;;   str x28, [sp, #0x28]
;;   mov x19, x0
;;   str d0, [sp, #0x10]
;;   mov x0, x19
;;   adrp x16, slot 1
;;   ldr x17, [x16]
;;   blr x17                                     ; call 1
;;   ldr x15, [x28, #0x70]
;;   ldr d0, [sp, #0x10]
;;   ldr x16, [x15]
;;   blr x16                                     ; call 0
;;   ldr x28, [sp, #0x28]
;;   ldr x27, [x28, #0x10]
;;   ucvtf d1, w19
;;   fadd d0, d0, d1
;;   ldr x19, [sp, #0x20]
;;   ldp x29, x30, [sp], #0x30
;;   ret
;; L1:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

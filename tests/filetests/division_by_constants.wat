;; A quotient by a multiplication (Hacker's Delight, chapter 10), a power of two, a remainder.

(module
  (func (export "f") (param i32 i32) (result i32)
    local.get 0
    i32.const 10
    i32.div_u
    local.get 1
    i32.const 8
    i32.div_s
    i32.add
    local.get 1
    i32.const 7
    i32.rem_s
    i32.add))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = div_u.i32 v0, 10:i32
;;   v3 = div_s.i32 v1, 8:i32
;;   v4 = iadd.i32 v2, v3
;;   v5 = rem_s.i32 v1, 7:i32
;;   v6 = iadd.i32 v4, v5
;;   return v6
;; }

;; -- amd64
;; 53 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov ecx, 0xa
;;   mov eax, edi
;;   xor edx, edx
;;   div ecx
;;   mov ecx, esi
;;   sar ecx, 0x1f
;;   shr ecx, 0x1d
;;   add ecx, esi
;;   sar ecx, 3
;;   add ecx, eax
;;   mov edi, 7
;;   mov eax, esi
;;   cdq
;;   idiv edi
;;   lea eax, [rcx + rdx]
;;   pop rbp
;;   ret

;; -- arm64
;; 64 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   mov w2, #0xa
;;   udiv w0, w0, w2
;;   asr w2, w1, #0x1f
;;   add w2, w1, w2, lsr #29
;;   asr w2, w2, #3
;;   add w0, w0, w2
;;   mov w2, #7
;;   sdiv w16, w1, w2
;;   msub w1, w16, w2, w1
;;   add w0, w0, w1
;;   ldp x29, x30, [sp], #0x10
;;   ret

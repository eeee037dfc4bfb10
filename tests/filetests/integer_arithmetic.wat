;; Sums, products and shifts: what fits into one instruction.

(module
  (func (export "f") (param i32 i32 i32) (result i32)
    local.get 0
    local.get 1
    local.get 2
    i32.mul
    i32.add
    local.get 1
    i32.const 3
    i32.shl
    i32.sub
    local.get 2
    i32.const 0xff00
    i32.and
    i32.xor))

;; -- ir
;; function 0 (i32, i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32, v2: i32):
;;   v3 = imul.i32 v1, v2
;;   v4 = iadd.i32 v0, v3
;;   v5 = shl.i32 v1, 3:i32
;;   v6 = isub.i32 v4, v5
;;   v7 = and.i32 v2, 65280:i32
;;   v8 = xor.i32 v6, v7
;;   return v8
;; }

;; -- amd64
;; 34 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov eax, esi
;;   imul eax, edx
;;   add eax, edi
;;   shl esi, 3
;;   sub eax, esi
;;   and edx, 0xff00
;;   xor eax, edx
;;   pop rbp
;;   ret

;; -- arm64
;; 40 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   madd w0, w1, w2, w0
;;   sub w0, w0, w1, lsl #3
;;   and w1, w2, #0xff00
;;   eor w0, w0, w1
;;   ldp x29, x30, [sp], #0x10
;;   ret

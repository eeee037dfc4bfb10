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
;;   v2 = extend_u.i64 v0
;;   v3 = imul.i64 v2, 3435973837:i64
;;   v4 = shr_u.i64 v3, 35:i64
;;   v5 = wrap.i32 v4
;;   v6 = div_s.i32 v1, 8:i32
;;   v7 = iadd.i32 v5, v6
;;   v8 = extend_s.i64 v1
;;   v9 = imul.i64 v8, 2454267027:i64
;;   v10 = shr_s.i64 v9, 34:i64
;;   v11 = wrap.i32 v10
;;   v12 = shr_s.i32 v1, 31:i32
;;   v13 = isub.i32 v11, v12
;;   v14 = imul.i32 v13, 7:i32
;;   v15 = isub.i32 v1, v14
;;   v16 = iadd.i32 v7, v15
;;   return v16
;; }

;; -- amd64
;; 72 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov eax, 0xcccccccd
;;   imul rdi, rax
;;   shr rdi, 0x23
;;   mov eax, esi
;;   sar eax, 0x1f
;;   shr eax, 0x1d
;;   add eax, esi
;;   sar eax, 3
;;   add eax, edi
;;   movsxd rcx, esi
;;   mov edx, 0x92492493
;;   imul rcx, rdx
;;   sar rcx, 0x22
;;   mov edx, esi
;;   sar edx, 0x1f
;;   sub ecx, edx
;;   imul ecx, ecx, 7
;;   sub esi, ecx
;;   add eax, esi
;;   pop rbp
;;   ret

;; -- arm64
;; 92 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   mov w2, #0xcccd
;;   movk x2, #0xcccc, lsl #16
;;   mul x0, x0, x2
;;   lsr x0, x0, #0x23
;;   asr w2, w1, #0x1f
;;   add w2, w1, w2, lsr #29
;;   asr w2, w2, #3
;;   add w0, w0, w2
;;   sxtw x2, w1
;;   mov w3, #0x2493
;;   movk x3, #0x9249, lsl #16
;;   mul x2, x2, x3
;;   asr x2, x2, #0x22
;;   sub w2, w2, w1, asr #31
;;   mov w3, #7
;;   msub w1, w2, w3, w1
;;   add w0, w0, w1
;;   ldp x29, x30, [sp], #0x10
;;   ret

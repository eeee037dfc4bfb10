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
;;   v6 = shr_s.i32 v1, 31:i32
;;   v7 = shr_u.i32 v6, 29:i32
;;   v8 = iadd.i32 v1, v7
;;   v9 = shr_s.i32 v8, 3:i32
;;   v10 = iadd.i32 v5, v9
;;   v11 = extend_s.i64 v1
;;   v12 = imul.i64 v11, 2454267027:i64
;;   v13 = shr_s.i64 v12, 34:i64
;;   v14 = wrap.i32 v13
;;   v15 = isub.i32 v14, v6
;;   v16 = imul.i32 v15, 7:i32
;;   v17 = isub.i32 v1, v16
;;   v18 = iadd.i32 v10, v17
;;   return v18
;; }

;; -- amd64
;; 70 bytes, frame of 0
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
;;   mov ecx, eax
;;   shr ecx, 0x1d
;;   add ecx, esi
;;   sar ecx, 3
;;   add ecx, edi
;;   movsxd rdx, esi
;;   mov edi, 0x92492493
;;   imul rdx, rdi
;;   sar rdx, 0x22
;;   sub edx, eax
;;   imul eax, edx, 7
;;   sub esi, eax
;;   lea eax, [rcx + rsi]
;;   pop rbp
;;   ret

;; -- arm64
;; 88 bytes, frame of 0
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
;;   add w3, w1, w2, lsr #29
;;   add w0, w0, w3, asr #3
;;   sxtw x3, w1
;;   mov w4, #0x2493
;;   movk x4, #0x9249, lsl #16
;;   mul x3, x3, x4
;;   asr x3, x3, #0x22
;;   sub w2, w3, w2
;;   mov w3, #7
;;   msub w1, w2, w3, w1
;;   add w0, w0, w1
;;   ldp x29, x30, [sp], #0x10
;;   ret

;; Multiplication by constants.

(module
  (func (export "f") (param i32 i64) (result i64)
    local.get 0
    i32.const 9
    i32.mul
    local.get 0
    i32.const 100
    i32.mul
    i32.add
    i64.extend_i32_s
    local.get 1
    i64.const 16
    i64.mul
    i64.add
    local.get 1
    i64.const -7
    i64.mul
    i64.add))

;; -- ir
;; function 0 (i32, i64) -> (i64) {
;; block0(v0: i32, v1: i64):
;;   v2 = imul.i32 v0, 9:i32
;;   v3 = imul.i32 v0, 100:i32
;;   v4 = iadd.i32 v2, v3
;;   v5 = extend_s.i64 v4
;;   v6 = shl.i64 v1, 4:i64
;;   v7 = iadd.i64 v5, v6
;;   v8 = imul.i64 v1, -7:i64
;;   v9 = iadd.i64 v7, v8
;;   return v9
;; }

;; -- amd64
;; 42 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   lea eax, [rdi + rdi*8]
;;   imul ecx, edi, 0x64
;;   add eax, ecx
;;   movsxd rax, eax
;;   mov rcx, rsi
;;   shl rcx, 4
;;   add rax, rcx
;;   imul rcx, rsi, -7
;;   add rax, rcx
;;   pop rbp
;;   ret

;; -- arm64
;; 52 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add w2, w0, w0, lsl #3
;;   mov w3, #0x64
;;   madd w0, w0, w3, w2
;;   lsl x2, x1, #4
;;   add x0, x2, w0, sxtw
;;   sub x1, x1, x1, lsl #3
;;   add x0, x0, x1
;;   ldp x29, x30, [sp], #0x10
;;   ret

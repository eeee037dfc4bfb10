;; Sums, differences and products of 128 bits.

(module
  (func (export "f") (param i64 i64 i64 i64) (result i64 i64)
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    i64.add128
    local.get 0
    local.get 2
    i64.mul_wide_u
    i64.sub128
    local.get 1
    local.get 3
    i64.mul_wide_s
    i64.add128))

;; -- ir
;; function 0 (i64, i64, i64, i64) -> (i64, i64) {
;; block0(v0: i64, v1: i64, v2: i64, v3: i64):
;;   v4 = iadd.i64 v0, v2
;;   v5 = icmp.i64 lt_u v4, v2
;;   v6 = extend_u.i64 v5
;;   v7 = iadd.i64 v1, v3
;;   v8 = iadd.i64 v7, v6
;;   v9 = imul.i64 v0, v2
;;   v10 = mulhi_u.i64 v0, v2
;;   v11 = icmp.i64 lt_u v4, v9
;;   v12 = extend_u.i64 v11
;;   v13 = isub.i64 v8, v10
;;   v14 = isub.i64 v4, v9
;;   v15 = isub.i64 v13, v12
;;   v16 = imul.i64 v1, v3
;;   v17 = mulhi_s.i64 v1, v3
;;   v18 = iadd.i64 v14, v16
;;   v19 = icmp.i64 lt_u v18, v16
;;   v20 = extend_u.i64 v19
;;   v21 = iadd.i64 v15, v17
;;   v22 = iadd.i64 v21, v20
;;   return v18, v22
;; }

;; -- amd64
;; 82 bytes, frame of 16
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x10
;;   mov qword ptr [rbp - 0x10], rbx
;;   lea r10, [rdi + rdx]
;;   mov rbx, rsi
;;   cmp r10, rdx
;;   adc rbx, rcx
;;   mov rax, rdi
;;   mul rdx
;;   mov rdi, r10
;;   sub rdi, rax
;;   cmp r10, rax
;;   sbb rbx, rdx
;;   mov rax, rsi
;;   imul rcx
;;   lea rcx, [rdi + rax]
;;   mov rsi, rbx
;;   cmp rcx, rax
;;   adc rsi, rdx
;;   mov rax, rcx
;;   mov rdx, rsi
;;   mov rbx, qword ptr [rbp - 0x10]
;;   leave
;;   ret

;; -- arm64
;; 80 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x4, x0, x2
;;   cmn x0, x2
;;   adc x5, x1, x3
;;   mul x6, x0, x2
;;   umulh x0, x0, x2
;;   sub x2, x4, x6
;;   cmp x4, x6
;;   sbc x0, x5, x0
;;   mul x4, x1, x3
;;   smulh x1, x1, x3
;;   add x3, x2, x4
;;   cmn x2, x4
;;   adc x1, x0, x1
;;   mov x0, x3
;;   ldp x29, x30, [sp], #0x10
;;   ret

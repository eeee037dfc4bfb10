;; Immediates: small, negative, of two halves, of one pattern, and those that nothing can encode.

(module
  (func (export "f") (param i64) (result i64)
    local.get 0
    i64.const -5
    i64.add
    i64.const 0x123456
    i64.xor
    i64.const 0x7fff00007fff0000
    i64.and
    i64.const 0x00ff00ff00ff00ff
    i64.or
    i64.const 0x123456789abcdef0
    i64.add))

;; -- ir
;; function 0 (i64) -> (i64) {
;; block0(v0: i64):
;;   v1 = iadd.i64 v0, -5:i64
;;   v2 = xor.i64 v1, 1193046:i64
;;   v3 = and.i64 v2, 9223090564025483264:i64
;;   v4 = or.i64 v3, 71777214294589695:i64
;;   v5 = iadd.i64 v4, 1311768467463790320:i64
;;   return v5
;; }

;; -- amd64
;; 72 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   lea rax, [rdi - 5]
;;   xor rax, 0x123456
;;   and rax, qword ptr [L0]
;;   or rax, qword ptr [L1]
;;   add rax, qword ptr [L2]
;;   pop rbp
;;   ret
;; L0:
;;   0000ff7f 0000ff7f
;; L1:
;;   ff00ff00 ff00ff00
;; L2:
;;   f0debc9a 78563412

;; -- arm64
;; 64 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   sub x0, x0, #5
;;   mov w1, #0x3456
;;   movk x1, #0x12, lsl #16
;;   eor x0, x0, x1
;;   and x0, x0, #0x7fff00007fff0000
;;   orr x0, x0, #0xff00ff00ff00ff
;;   ldr x1, L0
;;   add x0, x0, x1
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   f0debc9a 78563412

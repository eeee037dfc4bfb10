;; One comparison, one branch.

(module
  (func (export "f") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.lt_s
    if (result i32)
      local.get 0
      i32.const 1
      i32.add
    else
      local.get 1
      i32.const -1
      i32.xor
    end))

;; -- ir
;; function 0 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = icmp.i32 lt_s v0, v1
;;   brif v2, block1, block2
;; block1:
;;   v3 = iadd.i32 v0, 1:i32
;;   jump block3(v3)
;; block2:
;;   v4 = xor.i32 v1, -1:i32
;;   jump block3(v4)
;; block3(v5: i32):
;;   return v5
;; }

;; -- amd64
;; 27 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   cmp edi, esi
;;   jge L0
;;   lea eax, [rdi + 1]
;;   jmp L1
;; L0:
;;   not esi
;;   mov eax, esi
;; L1:
;;   pop rbp
;;   ret

;; -- arm64
;; 44 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   cmp w0, w1
;;   b.ge L0
;;   add w0, w0, #1
;;   b L1
;; L0:
;;   mvn w0, w1
;; L1:
;;   ldp x29, x30, [sp], #0x10
;;   ret

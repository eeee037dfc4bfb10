;; Branches on one bit, on a mask, on zero; a comparison that is a value.

(module
  (func (export "f") (param i32 i64) (result i32)
    block
      local.get 0
      i32.const 8
      i32.and
      br_if 0
      local.get 1
      i64.eqz
      br_if 0
      local.get 1
      i64.const 0xff
      i64.and
      i64.eqz
      br_if 0
      local.get 0
      i32.const 5
      i32.gt_u
      return
    end
    i32.const -1))

;; -- ir
;; function 0 (i32, i64) -> (i32) {
;; block0(v0: i32, v1: i64):
;;   v2 = and.i32 v0, 8:i32
;;   brif v2, block4, block1
;; block1:
;;   v3 = icmp.i64 eq v1, 0:i64
;;   brif v3, block4, block2
;; block2:
;;   v4 = and.i64 v1, 255:i64
;;   v5 = icmp.i64 eq v4, 0:i64
;;   brif v5, block4, block3
;; block3:
;;   v6 = icmp.i32 gt_u v0, 5:i32
;;   return v6
;; block4:
;;   return -1:i32
;; }

;; -- amd64
;; 50 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   test edi, 8
;;   jne L0
;;   test rsi, rsi
;;   je L0
;;   test esi, 0xff
;;   je L0
;;   xor eax, eax
;;   cmp edi, 5
;;   seta al
;;   pop rbp
;;   ret
;; L0:
;;   mov eax, 0xffffffff
;;   pop rbp
;;   ret

;; -- arm64
;; 60 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   tbnz w0, #3, L0
;;   cbz x1, L0
;;   tst w1, #0xff
;;   b.eq L0
;;   cmp w0, #5
;;   cset w0, hi
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L0:
;;   mov w0, #-1
;;   ldp x29, x30, [sp], #0x10
;;   ret

;; Small functions that call nothing, in the place of their calls. Behind an access of one of them stand two places in the
;; pc table: here the call is shown.

(module
  (memory 1)
  (func (param i32) (result i32)
    local.get 0
    i32.load offset=8)
  (func (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.lt_s
    if
      local.get 1
      return
    end
    local.get 0)
  (func (export "f") (param i32 i32) (result i32)
    local.get 0
    call 0
    local.get 1
    call 0
    call 1))

;; -- ir
;; function 2 (i32, i32) -> (i32) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = iadd.i64 memory_base, v2
;;   v4 = heap_load.i32 [v3+8]
;;   v5 = extend_u.i64 v1
;;   v6 = iadd.i64 memory_base, v5
;;   v7 = heap_load.i32 [v6+8]
;;   v8 = icmp.i32 lt_s v4, v7
;;   brif v8, block1, block2
;; block1:
;;   jump block3(v7)
;; block2:
;;   jump block3(v4)
;; block3(v9: i32):
;;   return v9
;; }

;; -- amd64
;; 30 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov eax, dword ptr [r14 + rdi + 8]          ; call 0
;;   mov ecx, dword ptr [r14 + rsi + 8]          ; call 0
;;   cmp eax, ecx
;;   jge L0
;;   mov eax, ecx
;; L0:
;;   pop rbp
;;   ret

;; -- arm64
;; 52 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x0, x27, w0, uxtw
;;   ldr w0, [x0, #8]                            ; call 0
;;   add x1, x27, w1, uxtw
;;   ldr w1, [x1, #8]                            ; call 0
;;   cmp w0, w1
;;   b.ge L0
;;   mov x0, x1
;; L0:
;;   ldp x29, x30, [sp], #0x10
;;   ret

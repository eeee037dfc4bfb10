;; Globals of the instance: their values are in the VMContext, or where it says.

(module
  (global (mut i64) (i64.const 7))
  (global i32 (i32.const 3))
  (func (export "f") (param i64) (result i64)
    global.get 0
    local.get 0
    i64.add
    global.set 0
    global.get 0
    global.get 1
    i64.extend_i32_s
    i64.mul))

;; -- ir
;; function 0 (i64) -> (i64) {
;; block0(v0: i64):
;;   v1 = load.i64 [vmctx+112]
;;   v2 = iadd.i64 v1, v0
;;   store.i64 [vmctx+112], v2
;;   v3 = load.i64 [vmctx+112]
;;   v4 = load_invariant.i32 [vmctx+128]
;;   v5 = extend_s.i64 v4
;;   v6 = imul.i64 v3, v5
;;   return v6
;; }

;; -- amd64
;; 33 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   add qword ptr [r15 + 0x70], rdi
;;   mov eax, dword ptr [r15 + 0x80]
;;   movsxd rax, eax
;;   imul rax, qword ptr [r15 + 0x70]
;;   pop rbp
;;   ret

;; -- arm64
;; 52 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ldr x1, [x28, #0x70]
;;   add x0, x1, x0
;;   str x0, [x28, #0x70]
;;   ldr x0, [x28, #0x70]
;;   ldr w1, [x28, #0x80]
;;   sxtw x1, w1
;;   mul x0, x0, x1
;;   ldp x29, x30, [sp], #0x10
;;   ret

;; Counting bits, rotating, extending.

(module
  (func (export "f") (param i32 i64) (result i64)
    local.get 0
    i32.clz
    local.get 0
    i32.ctz
    i32.add
    local.get 0
    i32.popcnt
    i32.rotl
    i32.extend8_s
    i64.extend_i32_u
    local.get 1
    i64.const 13
    i64.rotr
    i64.xor))

;; -- ir
;; function 0 (i32, i64) -> (i64) {
;; block0(v0: i32, v1: i64):
;;   v2 = clz.i32 v0
;;   v3 = ctz.i32 v0
;;   v4 = iadd.i32 v2, v3
;;   v5 = popcnt.i32 v0
;;   v6 = rotl.i32 v4, v5
;;   v7 = sext8.i32 v6
;;   v8 = extend_u.i64 v7
;;   v9 = rotr.i64 v1, 13:i64
;;   v10 = xor.i64 v8, v9
;;   return v10
;; }

;; -- amd64
;; 42 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   lzcnt eax, edi
;;   tzcnt ecx, edi
;;   add eax, ecx
;;   popcnt ecx, edi
;;   rol eax, cl
;;   movsx eax, al
;;   rorx rcx, rsi, 0xd
;;   xor rax, rcx
;;   pop rbp
;;   ret

;; -- arm64
;; 72 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   clz w2, w0
;;   rbit w3, w0
;;   clz w3, w3
;;   add w2, w2, w3
;;   fmov s31, w0
;;   cnt v31.8b, v31.8b
;;   addv b31, v31.8b
;;   fmov w0, s31
;;   neg w0, w0
;;   ror w0, w2, w0
;;   sxtb w0, w0
;;   eor x0, x0, x1, ror #13
;;   ldp x29, x30, [sp], #0x10
;;   ret

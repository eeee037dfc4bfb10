;; Addresses: offset, index with a scale, both; loads that extend; a store of a constant.

(module
  (memory 1)
  (func (export "f") (param i32 i32) (result i64)
    local.get 0
    i32.const 0
    i32.store offset=8
    local.get 0
    local.get 1
    i32.const 3
    i32.shl
    i32.add
    i64.load offset=16
    local.get 0
    i32.load8_s
    i64.extend_i32_s
    i64.add
    local.get 1
    i64.load32_u offset=4
    i64.add))

;; -- ir
;; function 0 (i32, i32) -> (i64) {
;; block0(v0: i32, v1: i32):
;;   v2 = extend_u.i64 v0
;;   v3 = iadd.i64 memory_base, v2
;;   heap_store.i32 [v3+8], 0:i32
;;   v4 = shl.i32 v1, 3:i32
;;   v5 = iadd.i32 v0, v4
;;   v6 = extend_u.i64 v5
;;   v7 = iadd.i64 memory_base, v6
;;   v8 = heap_load.i64 [v7+16]
;;   v9 = heap_load8_s.i32 [v3]
;;   v10 = extend_s.i64 v9
;;   v11 = iadd.i64 v8, v10
;;   v12 = extend_u.i64 v1
;;   v13 = iadd.i64 memory_base, v12
;;   v14 = heap_load32_u.i64 [v13+4]
;;   v15 = iadd.i64 v11, v14
;;   return v15
;; }

;; -- amd64
;; 47 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov dword ptr [r14 + rdi + 8], 0            ; i32.store offset=8
;;   lea eax, [rdi + rsi*8]
;;   movsx ecx, byte ptr [r14 + rdi]             ; i32.load8_s
;;   movsxd rcx, ecx
;;   add rcx, qword ptr [r14 + rax + 0x10]       ; i64.load offset=16
;;   mov eax, dword ptr [r14 + rsi + 4]          ; i64.load32_u offset=4
;;   add rax, rcx
;;   pop rbp
;;   ret

;; -- arm64
;; 64 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x2, x27, w0, uxtw
;;   str wzr, [x2, #8]                           ; i32.store offset=8
;;   add w2, w0, w1, lsl #3
;;   add x2, x27, w2, uxtw
;;   ldr x2, [x2, #0x10]                         ; i64.load offset=16
;;   ldrsb w0, [x27, w0, uxtw]                   ; i32.load8_s
;;   add x0, x2, w0, sxtw
;;   add x1, x27, w1, uxtw
;;   ldr w1, [x1, #4]                            ; i64.load32_u offset=4
;;   add x0, x0, x1
;;   ldp x29, x30, [sp], #0x10
;;   ret

;; An index that loses no bits when it is shifted is scaled by the address; the last one may lose one.

(module
  (memory 1)
  (func (export "f") (param i32) (result i64)
    local.get 0
    i32.load8_u
    i32.const 2
    i32.shl
    i64.load32_u offset=64
    local.get 0
    i32.const 0x1fffffff
    i32.and
    i32.const 3
    i32.shl
    i64.load
    i64.add
    local.get 0
    i32.const 0x3fffffff
    i32.and
    i32.const 3
    i32.shl
    i64.load
    i64.add))

;; -- ir
;; function 0 (i32) -> (i64) {
;; block0(v0: i32):
;;   v1 = extend_u.i64 v0
;;   v2 = iadd.i64 memory_base, v1
;;   v3 = heap_load8_u.i32 [v2]
;;   v4 = extend_u.i64 v3
;;   v5 = shl.i64 v4, 2:i64
;;   v6 = iadd.i64 memory_base, v5
;;   v7 = heap_load32_u.i64 [v6+64]
;;   v8 = and.i32 v0, 536870911:i32
;;   v9 = extend_u.i64 v8
;;   v10 = shl.i64 v9, 3:i64
;;   v11 = iadd.i64 memory_base, v10
;;   v12 = heap_load.i64 [v11]
;;   v13 = iadd.i64 v7, v12
;;   v14 = and.i32 v0, 1073741823:i32
;;   v15 = shl.i32 v14, 3:i32
;;   v16 = extend_u.i64 v15
;;   v17 = iadd.i64 memory_base, v16
;;   v18 = heap_load.i64 [v17]
;;   v19 = iadd.i64 v13, v18
;;   return v19
;; }

;; -- amd64
;; 49 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   movzx eax, byte ptr [r14 + rdi]             ; i32.load8_u
;;   mov eax, dword ptr [r14 + rax*4 + 0x40]     ; i64.load32_u offset=64
;;   mov ecx, edi
;;   and ecx, 0x1fffffff
;;   add rax, qword ptr [r14 + rcx*8]            ; i64.load
;;   and edi, 0x3fffffff
;;   shl edi, 3
;;   add rax, qword ptr [r14 + rdi]              ; i64.load
;;   pop rbp
;;   ret

;; -- arm64
;; 60 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   ldrb w1, [x27, w0, uxtw]                    ; i32.load8_u
;;   add x1, x27, x1, lsl #2
;;   ldr w1, [x1, #0x40]                         ; i64.load32_u offset=64
;;   and w2, w0, #0x1fffffff
;;   ldr x2, [x27, w2, uxtw #3]                  ; i64.load
;;   add x1, x1, x2
;;   lsl w0, w0, #3
;;   ldr x0, [x27, w0, uxtw]                     ; i64.load
;;   add x0, x1, x0
;;   ldp x29, x30, [sp], #0x10
;;   ret

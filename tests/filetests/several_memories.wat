;; Accesses to the second and third memory load where it is, once; the first one's is in a register.

(module
  (memory 1)
  (memory 1)
  (memory 1)
  (func (export "f") (param i32) (result i32)
    local.get 0
    local.get 0
    i32.load offset=4
    i32.store 1 offset=8
    local.get 0
    local.get 0
    i32.load8_u 2 offset=5
    i32.store16 1
    i32.const 16
    i32.load 1))

;; -- ir
;; function 0 (i32) -> (i32) {
;; block0(v0: i32):
;;   v1 = extend_u.i64 v0
;;   v2 = iadd.i64 memory_base, v1
;;   v3 = heap_load.i32 [v2+4]
;;   v4 = load_invariant.i64 [vmctx+120]
;;   v5 = load_invariant.i64 [v4]
;;   v6 = iadd.i64 v5, v1
;;   heap_store.i32 [v6+8], v3
;;   v7 = load_invariant.i64 [vmctx+128]
;;   v8 = load_invariant.i64 [v7]
;;   v9 = iadd.i64 v8, v1
;;   v10 = heap_load8_u.i32 [v9+5]
;;   heap_store16.i32 [v6], v10
;;   v11 = heap_load.i32 [v5+16]
;;   return v11
;; }

;; -- amd64
;; 54 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   mov eax, dword ptr [r14 + rdi + 4]          ; i32.load offset=4
;;   mov rcx, qword ptr [r15 + 0x78]
;;   mov rcx, qword ptr [rcx]
;;   lea rdx, [rcx + rdi]
;;   mov dword ptr [rdx + 8], eax                ; i32.store 1 offset=8
;;   mov rax, qword ptr [r15 + 0x80]
;;   mov rax, qword ptr [rax]
;;   movzx eax, byte ptr [rax + rdi + 5]         ; i32.load8_u 2 offset=5
;;   mov word ptr [rdx], ax                      ; i32.store16 1
;;   mov eax, dword ptr [rcx + 0x10]             ; i32.load 1
;;   pop rbp
;;   ret

;; -- arm64
;; 72 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   add x1, x27, w0, uxtw
;;   ldr w1, [x1, #4]                            ; i32.load offset=4
;;   ldr x2, [x28, #0x78]
;;   ldr x2, [x2]
;;   add x3, x2, x0
;;   str w1, [x3, #8]                            ; i32.store 1 offset=8
;;   ldr x1, [x28, #0x80]
;;   ldr x1, [x1]
;;   add x0, x1, x0
;;   ldrb w0, [x0, #5]                           ; i32.load8_u 2 offset=5
;;   strh w0, [x3]                               ; i32.store16 1
;;   ldr w0, [x2, #0x10]                         ; i32.load 1
;;   ldp x29, x30, [sp], #0x10
;;   ret

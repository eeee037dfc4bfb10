;; A function that calls itself goes to its own entry; other functions are called through their slots.

(module
  (func $other (param i32) (result i32)
    loop ;; (not inlined)
    end
    local.get 0)
  (func (export "f") (param i32) (result i32)
    local.get 0
    i32.const 2
    i32.lt_u
    if (result i32)
      local.get 0
      call 0
    else
      local.get 0
      i32.const 1
      i32.sub
      call 1
      local.get 0
      i32.const 2
      i32.sub
      call 1
      i32.add
    end))

;; -- ir
;; function 1 (i32) -> (i32) {
;; block0(v0: i32):
;;   v1 = icmp.i32 lt_u v0, 2:i32
;;   brif v1, block1, block2
;; block1:
;;   v2: i32 = call 0(v0)
;;   jump block3(v2)
;; block2:
;;   v3 = iadd.i32 v0, -1:i32
;;   v4: i32 = call 1(v3)
;;   v5 = iadd.i32 v0, -2:i32
;;   v6: i32 = call 1(v5)
;;   v7 = iadd.i32 v4, v6
;;   jump block3(v7)
;; block3(v8: i32):
;;   return v8
;; }

;; -- amd64
;; 88 bytes, frame of 16
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   sub rsp, 0x10
;;   cmp rsp, qword ptr [r15 + 8]
;;   jb L3
;; L0:
;;   mov qword ptr [rbp - 0x10], rbx
;;   mov qword ptr [rbp - 8], r8
;;   mov ebx, edi
;;   cmp ebx, 2
;;   jae L1
;;   mov edi, ebx
;;   call qword ptr [slot 0]                     ; call 0
;;   jmp L2
;; L1:
;;   lea edi, [rbx - 1]
;;   call entry                                  ; call 1
;;   mov r8d, eax
;;   lea edi, [rbx - 2]
;;   call entry                                  ; call 1
;;   add eax, r8d
;; L2:
;;   mov rbx, qword ptr [rbp - 0x10]
;;   mov r8, qword ptr [rbp - 8]
;;   leave
;;   ret
;; L3:
;;   mov r11, rsp
;;   call qword ptr [r15 + 0x38]
;;   jmp L0

;; -- arm64
;; 116 bytes, frame of 16
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x20]!
;;   mov x29, sp
;;   ldr x16, [x28, #8]
;;   cmp sp, x16
;;   b.lo L3
;; L0:
;;   stp x19, x20, [sp, #0x10]
;;   mov x19, x0
;;   cmp w19, #2
;;   b.hs L1
;;   mov x0, x19
;;   adrp x16, slot 0
;;   ldr x17, [x16]
;;   blr x17                                     ; call 0
;;   b L2
;; L1:
;;   sub w0, w19, #1
;;   bl entry                                    ; call 1
;;   mov x20, x0
;;   sub w0, w19, #2
;;   bl entry                                    ; call 1
;;   add w0, w20, w0
;; L2:
;;   ldp x19, x20, [sp, #0x10]
;;   ldp x29, x30, [sp], #0x20
;;   ret
;; L3:
;;   mov x17, sp
;;   ldr x16, [x28, #0x38]
;;   blr x16
;;   b L0

;; A table of distances behind the code.

(module
  (func (export "f") (param i32) (result i32)
    block
      block
        block
          block
            local.get 0
            br_table 0 1 2 1 3
          end
          i32.const 10
          return
        end
        i32.const 20
        return
      end
      i32.const 30
      return
    end
    local.get 0))

;; -- ir
;; function 0 (i32) -> (i32) {
;; block0(v0: i32):
;;   br_table v0, block1, block2, block3, block2, block4
;; block1:
;;   return 10:i32
;; block2:
;;   return 20:i32
;; block3:
;;   return 30:i32
;; block4:
;;   return v0
;; }

;; -- amd64
;; 76 bytes, frame of 0
;;   mov r15, qword ptr [r10 + 8]
;;   mov r14, qword ptr [r15 + 0x10]
;; entry:
;;   push rbp
;;   mov rbp, rsp
;;   cmp edi, 4
;;   jae L3
;;   lea r11, [L4]
;;   movsxd rax, dword ptr [r11 + rdi*4]
;;   add r11, rax
;;   jmp r11
;; L0:
;;   mov eax, 0xa
;;   pop rbp
;;   ret
;; L1:
;;   mov eax, 0x14
;;   pop rbp
;;   ret
;; L2:
;;   mov eax, 0x1e
;;   pop rbp
;;   ret
;; L3:
;;   mov eax, edi
;;   pop rbp
;;   ret
;; L4:
;;   L0 L1 L2 L1

;; -- arm64
;; 100 bytes, frame of 0
;;   ldr x28, [x15, #8]
;;   ldr x27, [x28, #0x10]
;; entry:
;;   stp x29, x30, [sp, #-0x10]!
;;   mov x29, sp
;;   cmp w0, #4
;;   b.hs L3
;;   adr x16, L4
;;   ldrsw x17, [x16, w0, uxtw #2]
;;   add x16, x16, x17
;;   br x16
;; L0:
;;   mov w0, #0xa
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L1:
;;   mov w0, #0x14
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L2:
;;   mov w0, #0x1e
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L3:
;;   ldp x29, x30, [sp], #0x10
;;   ret
;; L4:
;;   L0 L1 L2 L1

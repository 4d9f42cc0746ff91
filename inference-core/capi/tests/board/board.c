/* Starts a program on a Cortex-M in an emulator, whose console it writes to. Newlib calls the functions with underscores. */
#include <stdint.h>
#include <string.h>

extern char data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[], end[];
int main(void);

static int semihosting(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void _exit(int status) {
    /* SYS_EXIT_EXTENDED: application exit. */
    const uint32_t reason[2] = {0x20026, (uint32_t)status};
    semihosting(0x20, reason);
    for (;;) {
    }
}

int _write(int file, const char *text, int len) {
    int i;
    (void)file;
    for (i = 0; i < len; i++) {
        semihosting(0x03, &text[i]); /* SYS_WRITEC */
    }
    return len;
}

void *_sbrk(int more) {
    static char *top = end;
    char *old = top;
    top += more;
    return old;
}

void reset(void) {
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* the floating-point unit */
    __asm__ volatile("dsb\nisb");
#endif
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    _exit(main());
}

static void fault(void) {
    _exit(99);
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};

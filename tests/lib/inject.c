/* inject.c - makes one call of a program fail: a library for LD_PRELOAD.
 *
 *     INJECT=write:3:ENOSPC LD_PRELOAD=./inject.so program …     the third write fails with ENOSPC
 *     INJECT=write:0:EIO INJECT_COUNT=file LD_PRELOAD=… program  none fails; their number is added to the file
 *
 * INJECT is WHICH:NUMBER:HOW. WHICH: write, sync, rename, open, map (system calls of the whole process, those inside
 * libraries included) or malloc (of the program itself, not of its libraries, which often cannot bear it). HOW: ENOSPC,
 * EIO, EINTR, EMFILE or ENOMEM, or for write "short": only the first byte is written; TERM sends that signal in front
 * of the call, which is then made. NUMBER counts from 1.
 *
 * System calls are caught by a seccomp filter that turns them into SIGSYS; the handler fails the one that is meant and
 * makes the others itself, by an instruction that the filter lets pass. Descriptors 0 to 2 and what is opened for
 * reading count as well; files of /proc and /sys do not. With COVERAGE in the environment counting ends before gcov
 * writes its files, at the end of the program's atexit() functions.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static atomic_long calls;
static long wanted = -1; /* -1: nothing is counted */
static int number_of_error;
static bool short_write, send_term, of_malloc;
static char count_path[4096];

/* ---------------------------------------------------------------- system calls */

/* The one place from which the filter lets system calls pass: where this one returns to. */
long pass(long number, long a, long b, long c, long d, long e, long f);
#if defined __x86_64__
#define MACHINE AUDIT_ARCH_X86_64
__asm__(".text\n.globl pass\n.hidden pass\n.globl pass_end\n.hidden pass_end\n"
        "pass: mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n mov %r8, %r10\n mov %r9, %r8\n"
        "mov 8(%rsp), %r9\n syscall\npass_end: ret\n");
#define REGISTERS(u) ((u)->uc_mcontext.gregs)
#define ARGUMENTS(u)                                                                                                   \
    {                                                                                                                  \
        REGISTERS(u)                                                                                                   \
        [REG_RDI], REGISTERS(u)[REG_RSI], REGISTERS(u)[REG_RDX], REGISTERS(u)[REG_R10], REGISTERS(u)[REG_R8],          \
            REGISTERS(u)[REG_R9]                                                                                       \
    }
#define SET_RESULT(u, v) (REGISTERS(u)[REG_RAX] = (v))
#elif defined __aarch64__
#define MACHINE AUDIT_ARCH_AARCH64
__asm__(".text\n.globl pass\n.hidden pass\n.globl pass_end\n.hidden pass_end\n"
        "pass: mov x8, x0\n mov x0, x1\n mov x1, x2\n mov x2, x3\n mov x3, x4\n mov x4, x5\n mov x5, x6\n"
        "svc #0\npass_end: ret\n");
#define REGISTERS(u) ((u)->uc_mcontext.regs)
#define ARGUMENTS(u)                                                                                                   \
    {                                                                                                                  \
        (long)REGISTERS(u)[0], (long)REGISTERS(u)[1], (long)REGISTERS(u)[2], (long)REGISTERS(u)[3],                    \
            (long)REGISTERS(u)[4], (long)REGISTERS(u)[5]                                                               \
    }
#define SET_RESULT(u, v) (REGISTERS(u)[0] = (unsigned long long)(v))
#endif
extern const char pass_end[];

static const struct {
    const char *name;
    int numbers[6]; /* of system calls; -1: no more */
} kinds[] = {
    {"write", {SYS_write, SYS_writev, SYS_pwrite64, -1}},
    {"sync", {SYS_fsync, SYS_fdatasync, -1}},
#ifdef SYS_rename
    {"rename", {SYS_rename, SYS_renameat, SYS_renameat2, -1}},
    {"open", {SYS_open, SYS_openat, -1}},
#else
    {"rename", {SYS_renameat, SYS_renameat2, -1}},
    {"open", {SYS_openat, -1}},
#endif
    {"map", {SYS_mmap, -1}},
};

/* Files that the C library and the kernel keep for themselves are none of the program's. */
static bool is_system_file(int call, const long *a)
{
    const char *path = NULL;
    if (call == SYS_openat)
        path = (const char *)a[1];
#ifdef SYS_open
    if (call == SYS_open)
        path = (const char *)a[0];
#endif
    return path && (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0);
}

static void on_call(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    ucontext_t *u = context;
    const long a[6] = ARGUMENTS(u);
    const int kept = errno;
    const long number = is_system_file(info->si_syscall, a) ? 0 : atomic_fetch_add(&calls, 1) + 1;
    const bool meant = number > 0 && number == wanted;
    long result;
    if (meant && send_term)
        kill(getpid(), SIGTERM);
    if (!meant || send_term)
        result = pass(info->si_syscall, a[0], a[1], a[2], a[3], a[4], a[5]);
    else if (short_write && info->si_syscall == SYS_write && a[2] > 1)
        result = pass(SYS_write, a[0], a[1], 1, 0, 0, 0);
    else
        result = -number_of_error;
    errno = kept;
    SET_RESULT(u, result);
}

static void catch_calls(const int *numbers)
{
    struct sock_filter code[32];
    unsigned short n = 0;
    const uint64_t end = (uintptr_t)pass_end;
    int count = 0;
    while (numbers[count] >= 0)
        count++;
#define WORD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    code[n++] = (struct sock_filter)WORD(arch);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
    code[n++] = (struct sock_filter)ALLOW;
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)end, 0, 3);
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(end >> 32), 0, 1);
    code[n++] = (struct sock_filter)ALLOW;
    code[n++] = (struct sock_filter)WORD(nr);
    for (int i = 0; i < count; i++)
        code[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], (uint8_t)(count - i), 0);
    code[n++] = (struct sock_filter)ALLOW;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    const struct sock_fprog program = {.len = n, .filter = code};
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        fprintf(stderr, "inject: no seccomp filter here\n");
        _exit(99);
    }
}

/* ---------------------------------------------------------------- memory */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
static uintptr_t program_begin_at, program_end_at;

/* The first object is the program. */
static int on_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD)
            continue;
        const uintptr_t begin = info->dlpi_addr + p->p_vaddr, end = begin + p->p_memsz;
        program_begin_at = program_begin_at && program_begin_at < begin ? program_begin_at : begin;
        program_end_at = program_end_at > end ? program_end_at : end;
    }
    return 1;
}

static bool refuse(const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;
    if (!of_malloc || at < program_begin_at || at >= program_end_at || atomic_fetch_add(&calls, 1) + 1 != wanted)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return refuse(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return refuse(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return refuse(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refuse(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    void *made = refuse(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
    if (!made)
        return ENOMEM;
    *p = made;
    return 0;
}

/* ---------------------------------------------------------------- beginning and end */

__attribute__((constructor)) static void begin(void)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EINTR", EINTR},
                  {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM}, {"short", ENOSPC}};
    const char *text = getenv("INJECT"), *path = getenv("INJECT_COUNT");
    char which[16], how[16];
    if (!text || sscanf(text, "%15[^:]:%ld:%15s", which, &wanted, how) != 3)
        return;
    unsetenv("LD_PRELOAD"); /* programs that this one starts are not meant */
    snprintf(count_path, sizeof count_path, "%s", path ? path : "");
    short_write = strcmp(how, "short") == 0;
    send_term = strcmp(how, "TERM") == 0;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(how, errors[i].name) == 0)
            number_of_error = errors[i].number;
    dl_iterate_phdr(on_object, NULL);
    of_malloc = strcmp(which, "malloc") == 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(which, kinds[i].name) == 0)
            catch_calls(kinds[i].numbers);
}

__attribute__((destructor)) static void end(void)
{
    const long counted = atomic_load(&calls);
    wanted = -1;
    of_malloc = false;
    FILE *f = *count_path ? fopen(count_path, "a") : NULL;
    if (f) {
        fprintf(f, "%ld\n", counted);
        fclose(f);
    }
    *count_path = 0;
}

/* gcov writes in a destructor of the program, which comes before those of libraries, but behind functions that are
 * registered once main() is about to begin. */
typedef int main_function(int argc, char **argv, char **environment);
static main_function *real_main;

static int main_to_end(int argc, char **argv, char **environment)
{
    if (getenv("COVERAGE"))
        atexit(end);
    return real_main(argc, argv, environment);
}

int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*loader)(void), void *stack)
{
    __typeof__(__libc_start_main) *next;
    void *found = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&next, &found, sizeof next);
    real_main = program;
    return next(main_to_end, argc, argv, init, fini, loader, stack);
}

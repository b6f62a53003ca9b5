#include "device/team.h"

#include "base/error.h"

#include <omp.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* Threads that wait for work or for each other shall sleep. OpenMP lets them spin for milliseconds, which takes the
 * processor from those that work wherever it is shared: with another program, or with another of ours. Now they spin
 * for about as long as a sleep and a wake-up take (50 us), which most waits in small networks do not outlast, and then
 * sleep (LLVM's library: at once). Results are the same.
 *
 * An OpenMP library reads its environment while it is loaded, before main(), and there is no call for this setting. So
 * the program starts itself again, once, with the variables set. .preinit_array is the earliest place, before any
 * library has set itself up, which makes it cheap (some milliseconds); a setenv() here would not do, as the C library
 * sets up its environment later. Where the user has said how to wait that stays. Nothing is lost but sleep when it
 * cannot be done: execve() fails, or the program was given to the dynamic loader as an argument (then there is no
 * AT_BASE), and started by itself it might not find its libraries. */
static void wait_asleep(int argc, char **argv, char **environment)
{
    (void)argc;
    static const char *const said[] = {"OMP_WAIT_POLICY=", "GOMP_SPINCOUNT=", "KMP_BLOCKTIME="};
    static char policy[] = "OMP_WAIT_POLICY=passive", spins[] = "GOMP_SPINCOUNT=2000";
    size_t count = 0;
    for (; environment[count]; count++)
        for (size_t i = 0; i < COUNT(said); i++)
            if (strncmp(environment[count], said[i], strlen(said[i])) == 0)
                return;
#ifndef ONEBOX_STATIC /* no dynamic loader, and so no AT_BASE */
    if (!getauxval(AT_BASE))
        return;
#endif
    char *more[count + 3];
    memcpy(more, environment, count * sizeof *more);
    more[count] = policy;
    more[count + 1] = spins;
    more[count + 2] = NULL;
    execve((const char *)getauxval(AT_EXECFN), argv, more);
}

__attribute__((section(".preinit_array"), used)) static void (*const at_start)(int, char **, char **) = wait_asleep;

void team_set_size(int threads)
{
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
}

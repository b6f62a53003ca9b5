/* A container's limits are those of its cgroup: /proc/self/cgroup names the cgroup, and files in its folder below
 * /sys/fs/cgroup the limits: cpu.max and memory.max in version 2, cpu.cfs_* and memory.limit_in_bytes in version 1.
 * A limit holds for all cgroups inside, so the least on the way up to the top counts.
 */
#include "base/limits.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Reads up to two numbers from FOLDER/NAME. Returns how many there are. */
static int read_numbers(const char *folder, const char *name, double *first, double *second)
{
    char path[PATH_MAX];
    FILE *f = snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path ? fopen(path, "r") : NULL;
    /* a number too large is infinite NOLINTNEXTLINE(cert-err34-c) */
    const int count = f ? fscanf(f, "%lf %lf", first, second) : 0;
    if (f)
        fclose(f);
    return count;
}

/* A limit of one cgroup's folder; 0: there is none. */
typedef double folder_limit(const char *folder);

/* In processors. No quota is "max" in version 2, -1 in version 1. */
static double folder_processors(const char *folder)
{
    double quota = 0, period = 0, none;
    if (read_numbers(folder, "cpu.max", &quota, &period) != 2 &&
        (read_numbers(folder, "cpu.cfs_quota_us", &quota, &none) != 1 ||
         read_numbers(folder, "cpu.cfs_period_us", &period, &none) != 1))
        return 0;
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* In bytes. No limit is "max" in version 2, more than any machine has in version 1. */
static double folder_memory(const char *folder)
{
    double bytes = 0, none;
    if (read_numbers(folder, "memory.max", &bytes, &none) != 1)
        read_numbers(folder, "memory.limit_in_bytes", &bytes, &none);
    return bytes;
}

/* The least limit of a cgroup and of all that it lies in. `path` is its folder below `hierarchy`; a container sees its
 * own folder as the hierarchy's top, whatever path the kernel gives. */
static double least_on_way(const char *hierarchy, char *path, folder_limit *of)
{
    double least = 0;
    for (;;) {
        char folder[PATH_MAX];
        const double limit =
            snprintf(folder, sizeof folder, "%s%s", hierarchy, path) < (int)sizeof folder ? of(folder) : 0;
        if (limit > 0 && (least <= 0 || limit < least))
            least = limit;
        char *slash = strrchr(path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* The least limit of this process that `controller` sets; 0: there is none. */
static double least_limit(const char *root, const char *controller, folder_limit *of)
{
    char line[PATH_MAX], hierarchy[PATH_MAX];
    double least = 0;
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *f = fopen(line, "r");
    while (f && fgets(line, sizeof line, f)) { /* "NUMBER:CONTROLLER,...:/PATH"; version 2: "0::/PATH" */
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        controllers++;
        const size_t name = strlen(controller);
        const bool own =
            strncmp(controllers, controller, name) == 0 && (!controllers[name] || controllers[name] == ',');
        if (*controllers && !own)
            continue;
        snprintf(hierarchy, sizeof hierarchy, "%s/sys/fs/cgroup%s%s", root, own ? "/" : "", controllers);
        const double limit = least_on_way(hierarchy, path, of);
        if (limit > 0 && (least <= 0 || limit < least))
            least = limit;
    }
    if (f)
        fclose(f);
    return least;
}

int limits_processors(const char *root)
{
    return (int)ceil(least_limit(root, "cpu", folder_processors));
}

double limits_memory(const char *root)
{
    const double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    const double limit = least_limit(root, "memory", folder_memory);
    return limit > 0 && limit < machine ? limit : machine;
}

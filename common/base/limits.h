/* limits.h - what this process may use of the machine: its cgroups' limits, as containers and batch systems set them.
 *
 * `root` is put before /proc and /sys: "" but for tests.
 */
#ifndef ONEBOX_BASE_LIMITS_H
#define ONEBOX_BASE_LIMITS_H

/* The least quota of processor time of this process's cgroup and those that it lies in, rounded up to processors; 0:
 * there is none. Both versions of cgroups. */
int limits_processors(const char *root);

/* Bytes of memory: the least limit of the same cgroups, or what the machine has. */
double limits_memory(const char *root);

#endif

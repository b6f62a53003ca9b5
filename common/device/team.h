/* team.h - the OpenMP team that the CPU's kernels and oneDNN run on. Private to common/device.
 *
 * Threads of a program with this file linked in sleep while they wait, but for the first 50 us (see team.c).
 */
#ifndef ONEBOX_DEVICE_TEAM_H
#define ONEBOX_DEVICE_TEAM_H

/* The team of parallel regions that the calling thread begins has `threads` members from now on. */
void team_set_size(int threads);

#endif

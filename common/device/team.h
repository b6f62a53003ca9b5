/* team.h - the OpenMP team that the CPU's kernels and oneDNN run on. Private to common/device.
 *
 * A program with this file linked in starts with OMP_WAIT_POLICY=passive: threads that wait sleep (see team.c).
 */
#ifndef ONEBOX_DEVICE_TEAM_H
#define ONEBOX_DEVICE_TEAM_H

/* The team of parallel regions that the calling thread begins has `threads` members from now on. */
void team_set_size(int threads);

#endif

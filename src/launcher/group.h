/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * group.h - the launcher's side of the run's control group: births into it, kills all of it.
 */
#ifndef BV_LAUNCHER_GROUP_H
#define BV_LAUNCHER_GROUP_H

#include <stdint.h>
#include <sys/types.h>

/* Where the host says which descriptor is the leaf. */
#define BV_ENV_CGROUP "BVISOR_CGROUP_FD"

/*
 * bv_sys_fork with the child born in the group (-1: none).  Where clone3 is answered with ENOSYS the
 * child is moved right after its birth: it runs none of the workload before it is released.
 */
pid_t group_fork(uint64_t flags, int group_fd, int *ret_pidfd);

/* Removes the group, which must be empty. */
void group_remove(int group_fd);

#endif

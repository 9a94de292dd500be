/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* guest_doors.h - the guest's dangerous system calls. */
#ifndef BV_TEST_GUEST_DOORS_H
#define BV_TEST_GUEST_DOORS_H

/* Not negative when it led somewhere; else errno.  EBADRQC: there is no such door. */
int guest_door(const char *name);

/* Calls of consecutive numbers, with nothing but wrong arguments: for numbers that are none. */
void guest_calls(int first, int count);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * ids.c - user and group ids that belong to nobody.
 *
 * Distributions hand out accounts below 65536 and subordinate ids from 100000 to 600100000, systemd
 * its containers below 1879048192 and its dynamic users lower still.  Above 2147000000 there is
 * nobody.  Some file systems and tools take ids for signed, so the top of the range stays unused.
 */
#include "ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOBODYS_FIRST = 2147000000, NOBODYS_COUNT = 480000, MAP_SIZE = 4096 };

static bool next_number(const char **text, uint64_t *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtoull(*text, &end, 10);
	if (end == *text || errno != 0)
		return false;
	*text = end;
	return true;
}

bool bv__private_ids_in(const char *map, struct bv_id_range *ret_range)
{
	struct bv_id_range best = {0, 0};

	while (*map != '\0') {
		uint64_t inside, outside, count, last;

		if (!next_number(&map, &inside) || !next_number(&map, &outside) ||
		    !next_number(&map, &count))
			break;
		map += strspn(map, " \n");
		if (inside > UINT32_MAX || count == 0 || count > UINT32_MAX)
			continue;
		last = inside + count - 1;
		if (inside <= NOBODYS_FIRST &&
		    last >= (uint64_t)NOBODYS_FIRST + NOBODYS_COUNT - 1) {
			*ret_range = (struct bv_id_range){NOBODYS_FIRST, NOBODYS_COUNT};
			return true;
		}
		/* A container's own range: its upper half, where accounts inside it are least likely. */
		if (inside == 0) {
			inside++;
			count--;
		}
		if (count > best.count * 2ull && last <= UINT32_MAX)
			best = (struct bv_id_range){(uint32_t)(inside + count / 2),
						    (uint32_t)(count - count / 2)};
	}
	*ret_range = best;
	return best.count > 0;
}

bool bv__private_ids_of(struct bv_str text, struct bv_id_range *ret_range)
{
	uint64_t numbers[2] = {0, 0};
	int which = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '-' && which == 0 && i > 0) {
			which = 1;
		} else if (text.data[i] < '0' || text.data[i] > '9' ||
			   numbers[which] > UINT32_MAX) {
			return false;
		} else {
			numbers[which] = numbers[which] * 10 + (uint64_t)(text.data[i] - '0');
		}
	}
	if (which != 1 || numbers[0] == 0 || numbers[1] < numbers[0] || numbers[1] > UINT32_MAX)
		return false;
	*ret_range = (struct bv_id_range){(uint32_t)numbers[0],
					  (uint32_t)(numbers[1] - numbers[0] + 1)};
	return true;
}

static bool read_map(const char *path, char *ret_text)
{
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, ret_text, MAP_SIZE - 1);
	close(fd);
	ret_text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

bool bv__private_ids(struct bv_id_range *ret_range)
{
	char text[MAP_SIZE];
	struct bv_id_range users, groups;
	uint64_t first, last;

	if (!read_map("/proc/self/uid_map", text) || !bv__private_ids_in(text, &users) ||
	    !read_map("/proc/self/gid_map", text) || !bv__private_ids_in(text, &groups))
		return false;
	first = users.first > groups.first ? users.first : groups.first;
	last = (uint64_t)users.first + users.count;
	if (last > (uint64_t)groups.first + groups.count)
		last = (uint64_t)groups.first + groups.count;
	if (last <= first)
		return false;
	*ret_range = (struct bv_id_range){(uint32_t)first, (uint32_t)(last - first)};
	return true;
}

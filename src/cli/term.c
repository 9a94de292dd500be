/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The caller's terminal while the workload has one of its own. */
#include "streams.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int raw_fd = -1;

void cli_term_restore(void)
{
	if (raw_fd >= 0)
		(void)tcsetattr(raw_fd, TCSADRAIN,
				&saved); /* a terminal that hung up has no mode */
	raw_fd = -1;
}

int cli_term_raw(int fd)
{
	struct termios raw;

	if (tcgetattr(fd, &saved) != 0)
		return -1;
	raw = saved;
	raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL |
				   IXON);
	raw.c_oflag &= ~(tcflag_t)OPOST;
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cflag = (raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSADRAIN, &raw) != 0)
		return -1;
	raw_fd = fd;
	return 0;
}

void cli_term_size(unsigned short *ret_rows, unsigned short *ret_columns)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 &&
	    ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0)
		return;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-tail.c: the last lines of QEMU's log, fit for an error message
 *
 * The log is QEMU's to write, so it may hold anything: terminal escapes and half characters are
 * made harmless here, before they reach anybody's screen.  A log that cannot be read is no error:
 * there is a worse one to tell already.
 */

#include "config.h"

#include "monitor/log-tail.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"

static gsize
read_end (const char *path, guint64 first, char *buffer, gsize size)
{
  /* Nonblocking: a FIFO in the log's place must not hold us up. */
  stasis_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    return 0;

  if (first > (guint64) st.st_size)
    first = 0;
  const off_t start = MAX ((off_t) first, st.st_size - (off_t) size);
  const gssize n = pread (fd, buffer, size, start);
  return n > 0 ? (gsize) n : 0;
}

/* The end of both; all of it is of this run. */
static gsize
read_cut (const char *path, const char *backup, char *buffer, gsize size)
{
  g_autofree char *newer = g_malloc (size);
  const gsize length = read_end (path, 0, newer, size);
  const gsize earlier = length < size ? read_end (backup, 0, buffer, size - length) : 0;
  memcpy (buffer + earlier, newer, length);
  return earlier + length;
}

/* Where the last STASIS_LOG_TAIL_LINES begin. */
static const char *
find_start (const char *text, gsize length)
{
  guint lines = 0;
  for (gsize i = length; i > 0; i--)
    if (text[i - 1] == '\n' && ++lines == STASIS_LOG_TAIL_LINES)
      return text + i;
  return text;
}

static void
clean (char *text)
{
  for (char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      const gunichar c = g_utf8_get_char (p);
      if (c < 0x80 && g_ascii_iscntrl ((char) c) && c != '\n' && c != '\t')
        *p = '?';
      else if (c >= 0x80 && c < 0xa0) /* C1 controls: two octets in UTF-8 */
        p[0] = p[1] = '?';
    }
}

/* The end of the log. */
char *
stasis_log_tail (const char *path, guint64 start)
{
  char buffer[STASIS_LOG_TAIL_OCTETS];
  g_autofree char *backup = stasis_log_backup_path (path, 0);
  gsize length = g_file_test (backup, G_FILE_TEST_IS_REGULAR)
                     ? read_cut (path, backup, buffer, sizeof buffer)
                     : read_end (path, start, buffer, sizeof buffer);
  while (length > 0 && g_ascii_isspace (buffer[length - 1]))
    length--;

  const char *first = find_start (buffer, length);
  char *tail = g_utf8_make_valid (first, (gssize) (buffer + length - first));
  clean (tail);
  return tail;
}

/* Where a part of the log is that it has no room for. */
char *
stasis_log_backup_path (const char *path, guint number)
{
  return g_strdup_printf ("%s.%u", path, number);
}

/* The size of the log. */
guint64
stasis_log_size (const char *path)
{
  struct stat st;
  return stat (path, &st) == 0 && S_ISREG (st.st_mode) ? (guint64) st.st_size : 0;
}

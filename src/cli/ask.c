/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.c: what a user is asked on the way to another host
 *
 * The terminal itself is asked, for standard input and output may be data.
 */

#include "config.h"

#include "cli/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/units.h"
#include "util/fd.h"

#define ANSWER_MAX 1024u /* octets */
#define CTRL_C     '\003'

static void
put (int tty, const char *text)
{
  stasis_fd_write_exact (tty, text, strlen (text), NULL);
}

/* (transfer full) (nullable): a line without its end. */
static char *
read_line (int tty)
{
  g_autofree char *line = g_malloc0 (ANSWER_MAX);
  const ssize_t length = TEMP_FAILURE_RETRY (read (tty, line, ANSWER_MAX - 1));
  if (length <= 0)
    return NULL;
  line[strcspn (line, "\r\n")] = '\0';
  return g_steal_pointer (&line);
}

static gboolean
ask_host_key (const char *host, const char *type, const char *fingerprint, gpointer data)
{
  stasis_autofd int tty = open ("/dev/tty", O_RDWR | O_CLOEXEC);
  if (tty < 0)
    return FALSE;
  g_autofree char *question
      = g_strdup_printf (_ ("The host '%1$s' is not known. Its %2$s key has the fingerprint\n%3$s\n"
                            "Is it the right one, and to be remembered (yes/no)? "),
                         host, type, fingerprint);
  g_autofree char *shown = stasis_cli_printable_lines (question);
  put (tty, shown);
  g_autofree char *answer = read_line (tty);
  return g_strcmp0 (answer, "yes") == 0 || g_strcmp0 (answer, _ ("yes")) == 0;
}

static char *
ask_secret (const char *prompt, gboolean is_echoed, gpointer data)
{
  stasis_autofd int tty = open ("/dev/tty", O_RDWR | O_CLOEXEC);
  struct termios before, quiet;
  if (tty < 0 || tcgetattr (tty, &before) < 0)
    return NULL;
  quiet = before;
  quiet.c_lflag &= ~(tcflag_t) (ECHO | ISIG); /* Ctrl-C does not leave it so */
  if (!is_echoed && tcsetattr (tty, TCSAFLUSH, &quiet) < 0)
    return NULL;
  g_autofree char *shown = stasis_cli_printable_lines (prompt);
  put (tty, shown);
  char *answer = read_line (tty);
  if (!is_echoed)
    {
      tcsetattr (tty, TCSAFLUSH, &before);
      put (tty, "\n");
    }
  if (answer != NULL && strchr (answer, CTRL_C) != NULL)
    {
      explicit_bzero (answer, strlen (answer));
      g_clear_pointer (&answer, g_free);
    }
  return answer;
}

/* On the terminal; NULL where there is none. */
const StasisDriverAsk *
stasis_cli_ask (void)
{
  static const StasisDriverAsk ask = { ask_host_key, ask_secret, NULL };
  stasis_autofd int tty = open ("/dev/tty", O_RDWR | O_CLOEXEC);
  return tty >= 0 ? &ask : NULL;
}

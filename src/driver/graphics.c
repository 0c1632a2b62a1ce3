/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.c: the display of a running domain, for who has a socket
 */

#include "config.h"

#include "driver/graphics.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "monitor/commands-fd.h"
#include "util/fd.h"
#include "util/json.h"

#define NAME      "stasis-graphics" /* of the descriptor, until the command has taken it */
#define CLIENT_MS 60000

static gboolean
check_socket (int fd, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("Unable to access file descriptor %d"), fd);
  if (S_ISSOCK (st.st_mode))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("the descriptor for a display must be a socket"));
  return FALSE;
}

/* There is one of a type at most, so the index says which of QEMU's is meant. */
static gboolean
check_graphics (StasisDomain *self, guint index, GError **error)
{
  g_autoptr (StasisDomainDef) def = stasis_domain_load_live (self, error);
  if (def == NULL)
    return FALSE;
  if (index >= def->graphics->len)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("No graphics backend with index %u"),
                   index);
      return FALSE;
    }
  const StasisGraphicsDef *graphics = g_ptr_array_index (def->graphics, index);
  if (graphics->type == STASIS_GRAPHICS_VNC)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("Can only open VNC or SPICE graphics backends, not %s"),
               stasis_graphics_type_names[graphics->type]);
  return FALSE;
}

static gboolean
add_client (StasisMonitor *monitor, int fd, gboolean skip_auth, GError **error)
{
  if (!stasis_monitor_getfd (monitor, NAME, fd, NULL, error))
    return FALSE;
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "protocol", "vnc");
  stasis_json_set_string (arguments, "fdname", NAME);
  stasis_json_set_boolean (arguments, "skipauth", skip_auth);
  if (stasis_monitor_command (monitor, "add_client", arguments, NULL, 0, CLIENT_MS, NULL, NULL,
                              error))
    return TRUE;
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_closefd (monitor, NAME, NULL, &local))
    g_debug ("%s", local->message);
  return FALSE;
}

/* On a socket of the caller's. */
gboolean
stasis_domain_open_graphics (StasisDomain *self, guint index, int fd, gboolean skip_auth,
                             GError **error)
{
  if (!check_socket (fd, error))
    return FALSE;
  g_autoptr (StasisHold) hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                                          stasis_domain_get_name (self), error);
  if (hold == NULL || !check_graphics (self, index, error))
    return FALSE;
  g_autoptr (StasisMonitor) monitor = stasis_hold_open_monitor (hold, NULL, error);
  return monitor != NULL && add_client (monitor, fd, skip_auth, error);
}

/* On a new one. */
int
stasis_domain_open_graphics_fd (StasisDomain *self, guint index, gboolean skip_auth, GError **error)
{
  int pair[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a socket for the display"));
      return -1;
    }
  stasis_autofd int ours = pair[0];
  stasis_autofd int theirs = pair[1];
  return stasis_domain_open_graphics (self, index, theirs, skip_auth, error)
             ? stasis_fd_steal (&ours)
             : -1;
}

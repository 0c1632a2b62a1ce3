/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.c: the host's side of a guest's serial console
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "util/fd.h"

/* The console or serial port that is meant: the first, or the one with this alias. */
static const StasisChardevDef *
find_console (const StasisDomainDef *def, const char *device)
{
  const GPtrArray *lists[] = { def->consoles, def->serials, def->parallels };
  for (gsize l = 0; l < G_N_ELEMENTS (lists); l++)
    for (guint i = 0; i < lists[l]->len; i++)
      {
        const StasisChardevDef *chardev = g_ptr_array_index (lists[l], i);
        if (device == NULL || g_strcmp0 (chardev->info.alias, device) == 0)
          return chardev;
      }
  return NULL;
}

/* One user of a terminal at a time; @force takes it all the same, and the other one's output gets
 * holes. */
static int
open_pty (const char *path, gboolean force, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_NOCTTY, 0, error);
  if (fd < 0)
    return -1;
  if (flock (fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK && !force)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                   _ ("the console '%s' is in use; --force opens it anyway"), path);
      return -1;
    }
  return stasis_fd_steal (&fd);
}

/**
 * stasis_domain_open_console:
 * @self: a running domain
 * @device: (nullable): the alias of a console, serial or parallel port; %NULL: the first console
 * @force: although somebody else has it open
 * @error: return location
 *
 * Only ports of the types pty and unix have a host's side that can be opened.
 *
 * Returns: a descriptor of a terminal or socket, the caller's to close; -1 on failure
 */
int
stasis_domain_open_console (StasisDomain *self, const char *device, gboolean force, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->open_console (self, device, force, error);

  g_autoptr (StasisStatus) status = stasis_domain_need_status (self, error);
  g_autoptr (StasisDomainDef) def = status != NULL ? stasis_domain_load_live (self, error) : NULL;
  if (def == NULL)
    return -1;

  const StasisChardevDef *chardev = find_console (def, device);
  if (chardev == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("domain '%1$s' has no console '%2$s'"), def->name,
                   device != NULL ? device : _ ("at all"));
      return -1;
    }
  if (chardev->type == STASIS_CHARDEV_PTY && chardev->source_path != NULL)
    return open_pty (chardev->source_path, force, error);
  if (chardev->type == STASIS_CHARDEV_UNIX && chardev->source_path != NULL)
    return stasis_unix_connect (chardev->source_path, error);

  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("console '%1$s' of domain '%2$s' is not using a pty or a unix socket"),
               chardev->info.alias != NULL ? chardev->info.alias : "?", def->name);
  return -1;
}

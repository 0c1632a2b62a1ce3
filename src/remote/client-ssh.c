/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-ssh.c: a stream to a server on another host
 *
 * The ssh library, and the cryptography behind it, are loaded when they are needed: a module has
 * them, which is never unloaded, for its threads may go on for a moment.
 */

#include "config.h"

#include "remote/client-ssh.h"

#include <dlfcn.h>

#include <glib/gi18n-lib.h>

#include "driver/spawn.h"
#include "remote/tunnel-ssh.h"

static const StasisSshModule *
load (GError **error)
{
  g_autofree char *path = stasis_spawn_find_helper (STASIS_SSH_MODULE);
  void *module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  const StasisSshModule *found = module != NULL ? dlsym (module, STASIS_SSH_MODULE_SYMBOL) : NULL;
  if (found == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ ("cannot go by ssh: %s"),
                 dlerror ());
  return found;
}

/* Whatever the module calls it. */
static void
make_public (GError *error)
{
  if (error->domain == STASIS_ERROR || error->domain == G_IO_ERROR)
    return;
  error->domain = STASIS_ERROR;
  error->code = STASIS_ERROR_FAILED;
}

/* A stream. */
gboolean
stasis_client_reach_ssh (const StasisRemoteUri *uri, const StasisDriverAsk *ask,
                         StasisClientStream *stream, GCancellable *cancellable, GError **error)
{
  const StasisSshModule *module = load (error);
  g_autoptr (GError) local = NULL;
  if (module == NULL)
    return FALSE;
  if (module->reach (uri, ask, stream, cancellable, &local))
    return TRUE;
  make_public (local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
open_tunnel (const StasisSshModule *module, const StasisRemoteUri *uri, StasisTunnel *out_tunnel,
             GCancellable *cancellable, GError **error)
{
  if (stasis_tunnel_ssh_can (uri))
    {
      g_autofree char *command = module->command (uri, error);
      return command != NULL && stasis_tunnel_ssh_open (uri, command, out_tunnel, error);
    }
  StasisClientStream stream = { .fd = -1 };
  if (!module->reach (uri, NULL, &stream, cancellable, error))
    return FALSE;
  *out_tunnel = (StasisTunnel){ .fd = stream.fd,
                                .explain = stream.explain,
                                .free_reason = stream.free_reason,
                                .reason = stream.reason };
  return TRUE;
}

/* A tunnel. */
gboolean
stasis_client_tunnel_ssh (const StasisRemoteUri *uri, StasisTunnel *out_tunnel,
                          GCancellable *cancellable, GError **error)
{
  const StasisSshModule *module = load (error);
  g_autoptr (GError) local = NULL;
  if (module == NULL)
    return FALSE;
  if (open_tunnel (module, uri, out_tunnel, cancellable, &local))
    return TRUE;
  make_public (local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-fds.c: calls that take descriptors, or give one
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/graphics.h"
#include "driver/monitor-command.h"
#include "remote/calls.h"

/* Of libvirt's virDomainOpenGraphicsFlags. */
#define OPEN_SKIP_AUTH 0x1u

static const StasisFlagPair open_flags[] = {
  { OPEN_SKIP_AUTH, OPEN_SKIP_AUTH },
};

static const StasisFlagPair command_flags[] = {
  { 0x1, STASIS_MONITOR_COMMAND_HMP },
};

static gboolean
parse_open_flags (const StasisCall *call, gboolean *out_skip_auth, GError **error)
{
  guint32 flags;
  const gboolean ok = stasis_call_translate_flags (call->args[2].u, open_flags,
                                                   G_N_ELEMENTS (open_flags), &flags, error);
  *out_skip_auth = ok && (flags & OPEN_SKIP_AUTH) != 0;
  return ok;
}

/* On a socket of the client's. */
gboolean
stasis_call_domain_open_graphics (StasisCall *call, GError **error)
{
  gboolean skip_auth;
  const int fd = stasis_call_fd (call, 0, error);
  if (fd < 0 || !parse_open_flags (call, &skip_auth, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL
         && stasis_domain_open_graphics (domain, call->args[1].u, fd, skip_auth, error);
}

/* On one that the client gets. */
gboolean
stasis_call_domain_open_graphics_fd (StasisCall *call, GError **error)
{
  gboolean skip_auth;
  if (!parse_open_flags (call, &skip_auth, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  call->reply_fd = domain != NULL
                       ? stasis_domain_open_graphics_fd (domain, call->args[1].u, skip_auth, error)
                       : -1;
  return call->reply_fd >= 0;
}

/* Of QEMU's monitor, with at most one. */
gboolean
stasis_call_qemu_domain_monitor_command_with_files (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, command_flags, G_N_ELEMENTS (command_flags),
                                    &flags, error))
    return FALSE;
  if (call->fds != NULL && call->fds->len > 1)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("at most 1 file descriptor can be passed to QEMU"));
      return FALSE;
    }
  const int fd = call->fds != NULL && call->fds->len > 0 ? g_array_index (call->fds, int, 0) : -1;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain != NULL)
    call->rets[0].s
        = stasis_domain_monitor_command_fd (domain, call->args[1].s, flags, fd, NULL, error);
  return call->rets[0].s != NULL;
}

static gboolean
refuse (const char *function, GError **error)
{
  g_set_error (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_NO_SUPPORT,
               "this function is not supported by the connection driver: %s", function);
  return FALSE;
}

/* Descriptors for the first process of a container: not of a machine. */
gboolean
stasis_call_domain_create_xml_with_files (StasisCall *call, GError **error)
{
  return refuse ("virDomainCreateXMLWithFiles", error);
}

/* Likewise. */
gboolean
stasis_call_domain_create_with_files (StasisCall *call, GError **error)
{
  return refuse ("virDomainCreateWithFiles", error);
}

/* Descriptors instead of the files of disks: an image could not be restored without them. */
gboolean
stasis_call_domain_fd_associate (StasisCall *call, GError **error)
{
  return refuse ("virDomainFDAssociate", error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-agent.c: what the guest agent does for clients
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/domain-agent.h"
#include "driver/guest-filesystems.h"
#include "remote/calls.h"

#define NS_PER_S G_GINT64_CONSTANT (1000000000)

#define SET_TIME_SYNC  0x1u
#define HOSTNAME_LEASE 0x1u
#define HOSTNAME_AGENT 0x2u

/* libvirt's, besides seconds. */
#define AGENT_BLOCK   (-2)
#define AGENT_DEFAULT (-1)

#define AGENT_MS     5000
#define AGENT_MS_MAX 60000 /* a guest does not keep the domain for ever */

static gboolean
check_flags (guint32 flags, guint32 known, GError **error)
{
  const StasisFlagPair pair = { known, known };
  guint32 ours;
  return stasis_call_translate_flags (flags, &pair, 1, &ours, error);
}

/* The guest's clock. */
gboolean
stasis_call_domain_get_time (StasisCall *call, GError **error)
{
  gint64 ns = 0;
  if (!check_flags (call->args[1].u, 0, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL || !stasis_domain_get_time (domain, &ns, NULL, error))
    return FALSE;
  call->rets[0].l = ns / NS_PER_S;
  call->rets[1].u = (guint32) (ns % NS_PER_S);
  return TRUE;
}

/* Set it, or have the guest take that of its hardware. */
gboolean
stasis_call_domain_set_time (StasisCall *call, GError **error)
{
  const gint64 seconds = call->args[1].l;
  const guint32 ns = call->args[2].u;
  if (!check_flags (call->args[3].u, SET_TIME_SYNC, error))
    return FALSE;
  if (seconds < 0 || seconds > G_MAXINT64 / NS_PER_S - 1 || ns >= NS_PER_S)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("that is no time that a guest's clock can be set to"));
      return FALSE;
    }
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  const gboolean is_sync = (call->args[3].u & SET_TIME_SYNC) != 0;
  return domain != NULL
         && stasis_domain_set_time (domain, seconds * NS_PER_S + ns,
                                    is_sync ? STASIS_SET_TIME_FROM_RTC : STASIS_SET_TIME_NONE, NULL,
                                    error);
}

/* All file systems, or none. */
static gboolean
check_all (const GPtrArray *mount_points, GError **error)
{
  if (mount_points->len == 0)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("a guest's file systems are frozen and thawed all together"));
  return FALSE;
}

/* Freeze its file systems. */
gboolean
stasis_call_domain_fsfreeze (StasisCall *call, GError **error)
{
  guint count = 0;
  if (!check_flags (call->args[2].u, 0, error) || !check_all (call->args[1].items, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL || !stasis_domain_fs_freeze (domain, &count, NULL, error))
    return FALSE;
  call->rets[0].i = (gint32) count;
  return TRUE;
}

/* Thaw them. */
gboolean
stasis_call_domain_fsthaw (StasisCall *call, GError **error)
{
  guint count = 0;
  if (!check_flags (call->args[2].u, 0, error) || !check_all (call->args[1].items, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL || !stasis_domain_fs_thaw (domain, &count, NULL, error))
    return FALSE;
  call->rets[0].i = (gint32) count;
  return TRUE;
}

/* Give back what they do not use. */
gboolean
stasis_call_domain_fstrim (StasisCall *call, GError **error)
{
  if (!check_flags (call->args[3].u, 0, error))
    return FALSE;
  if (call->args[1].s != NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                           _ ("a guest's file systems are trimmed all together"));
      return FALSE;
    }
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_uint (arguments, "minimum", call->args[2].ul);
  g_autoptr (StasisJson) answer = NULL;
  return stasis_domain_agent_command (domain, "guest-fstrim", arguments, AGENT_MS_MAX, &answer,
                                      error);
}

/* What it has mounted, and on which disks. */
gboolean
stasis_call_domain_get_fsinfo (StasisCall *call, GError **error)
{
  if (!check_flags (call->args[1].u, 0, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  g_autoptr (GPtrArray) found
      = domain != NULL ? stasis_domain_guest_filesystems (domain, error) : NULL;
  if (found == NULL)
    return FALSE;
  call->rets[0].items = stasis_wire_filesystems_new ();
  call->rets[1].u = MIN (found->len, STASIS_WIRE_FILESYSTEMS_MAX);
  for (guint i = 0; i < call->rets[1].u; i++)
    {
      const StasisGuestFilesystem *one = g_ptr_array_index (found, i);
      StasisWireFilesystem *wire = stasis_wire_filesystems_add (
          call->rets[0].items, one->mountpoint, one->name, one->type);
      for (guint j = 0; j < MIN (one->disks->len, STASIS_WIRE_FILESYSTEMS_MAX); j++)
        g_ptr_array_add (wire->disks, g_strdup (g_ptr_array_index (one->disks, j)));
    }
  return TRUE;
}

/* As the guest calls itself. */
gboolean
stasis_call_domain_get_hostname (StasisCall *call, GError **error)
{
  if (!check_flags (call->args[1].u, HOSTNAME_LEASE | HOSTNAME_AGENT, error))
    return FALSE;
  if (call->args[1].u == HOSTNAME_LEASE)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                           _ ("a guest's name is known from its agent only, not from leases"));
      return FALSE;
    }
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  g_autoptr (StasisJson) answer = NULL;
  const char *name = NULL;
  if (domain == NULL
      || !stasis_domain_agent_command (domain, "guest-get-host-name", NULL, AGENT_MS, &answer,
                                       error)
      || !stasis_json_need_string (answer, "host-name", &name, error))
    return FALSE;
  call->rets[0].s = g_strdup (name);
  return TRUE;
}

/* Milliseconds; an error for what would not wait for an answer at all. */
static gboolean
read_timeout (gint32 timeout, gint64 *out_ms, GError **error)
{
  if (timeout == AGENT_BLOCK)
    *out_ms = AGENT_MS_MAX;
  else if (timeout == AGENT_DEFAULT)
    *out_ms = AGENT_MS;
  else if (timeout > 0)
    *out_ms = MIN ((gint64) timeout * 1000, AGENT_MS_MAX);
  else
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("the guest agent's answer is waited for: %d is no time"), timeout);
      return FALSE;
    }
  return TRUE;
}

/* Any command, as JSON, and its answer. */
gboolean
stasis_call_qemu_domain_agent_command (StasisCall *call, GError **error)
{
  gint64 timeout_ms = 0;
  if (!check_flags (call->args[3].u, 0, error)
      || !read_timeout (call->args[2].i, &timeout_ms, error))
    return FALSE;
  g_autoptr (StasisJson) request = stasis_json_parse (call->args[1].s, -1, error);
  const char *command = NULL;
  if (request == NULL || !stasis_json_need_string (request, "execute", &command, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  const StasisJson *arguments = stasis_json_get (request, "arguments");
  StasisJson *answer = NULL;
  if (!stasis_domain_agent_command (
          domain, command, arguments != NULL ? stasis_json_ref ((StasisJson *) arguments) : NULL,
          timeout_ms, &answer, error))
    return FALSE;
  g_autoptr (StasisJson) reply = stasis_json_new_object ();
  stasis_json_set (reply, "return", answer);
  call->rets[0].s = stasis_json_to_string (reply);
  return TRUE;
}

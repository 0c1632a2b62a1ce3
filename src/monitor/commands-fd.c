/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-fd.c: give QEMU descriptors, take them back
 */

#include "config.h"

#include "monitor/commands-fd.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

/* NULL is fine. */
void
stasis_fdset_member_free (StasisFdsetMember *member)
{
  if (member == NULL)
    return;

  g_free (member->opaque);
  g_free (member);
}

static StasisJson *
new_arguments (const char *key, const char *value)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, key, value);
  return arguments;
}

/* Give a descriptor under a name. */
gboolean
stasis_monitor_getfd (StasisMonitor *monitor, const char *name, int fd, GCancellable *cancellable,
                      GError **error)
{
  g_return_val_if_fail (fd >= 0, FALSE);
  const StasisCommand getfd
      = { "getfd", _ ("cannot pass a descriptor to QEMU"), STASIS_COMMAND_MS, fd };
  return stasis_command_run (monitor, &getfd, new_arguments ("fdname", name), NULL, cancellable,
                             error);
}

/* Let QEMU close the descriptor of that name. */
gboolean
stasis_monitor_closefd (StasisMonitor *monitor, const char *name, GCancellable *cancellable,
                        GError **error)
{
  const StasisCommand closefd
      = { "closefd", _ ("cannot take a descriptor from QEMU"), STASIS_COMMAND_MS, -1 };
  return stasis_command_run (monitor, &closefd, new_arguments ("fdname", name), NULL, cancellable,
                             error);
}

/* Add a descriptor to a set. */
gboolean
stasis_monitor_add_fd (StasisMonitor *monitor, gint64 set, int fd, const char *opaque,
                       gint64 *out_set, gint64 *out_fd, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (fd >= 0, FALSE);
  const StasisCommand add
      = { "add-fd", _ ("cannot pass a descriptor to QEMU"), STASIS_COMMAND_MS, fd };
  StasisJson *arguments = stasis_json_new_object ();
  if (set != STASIS_FDSET_NEW)
    stasis_json_set_int (arguments, "fdset-id", set);
  if (opaque != NULL)
    stasis_json_set_string (arguments, "opaque", opaque);
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &add, arguments, &reply, cancellable, error))
    return FALSE;

  gint64 got_set = 0;
  gint64 got_fd = 0;
  g_autoptr (GError) fault = NULL;
  if (!stasis_json_need_int (reply, "fdset-id", &got_set, &fault)
      || !stasis_json_need_int (reply, "fd", &got_fd, &fault))
    return stasis_command_throw_reply (add.command, add.context, fault, error);
  if (out_set != NULL)
    *out_set = got_set;
  if (out_fd != NULL)
    *out_fd = got_fd;
  return TRUE;
}

/* Remove one or all descriptors of a set; QEMU closes them once it does not use them. */
gboolean
stasis_monitor_remove_fd (StasisMonitor *monitor, gint64 set, gint64 fd, GCancellable *cancellable,
                          GError **error)
{
  const StasisCommand remove
      = { "remove-fd", _ ("cannot take a descriptor from QEMU"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_int (arguments, "fdset-id", set);
  if (fd != STASIS_FDSET_ALL)
    stasis_json_set_int (arguments, "fd", fd);
  return stasis_command_run (monitor, &remove, arguments, NULL, cancellable, error);
}

static gboolean
add_members (GPtrArray *members, const StasisJson *set, GError **error)
{
  gint64 id = 0;
  if (!stasis_json_need_int (set, "fdset-id", &id, error))
    return FALSE;

  const StasisJson *fds = stasis_json_get (set, "fds");
  for (guint i = 0; i < stasis_json_array_length (fds); i++)
    {
      const StasisJson *fd = stasis_json_array_get (fds, i);
      g_autoptr (StasisFdsetMember) member = g_new0 (StasisFdsetMember, 1);
      member->set = id;
      if (!stasis_json_need_int (fd, "fd", &member->fd, error))
        return FALSE;
      member->opaque = g_strdup (stasis_json_string (stasis_json_get (fd, "opaque"), NULL));
      g_ptr_array_add (members, g_steal_pointer (&member));
    }
  return TRUE;
}

static void
free_member (gpointer member)
{
  stasis_fdset_member_free (member);
}

/* All descriptors in all sets. */
GPtrArray *
stasis_monitor_query_fdsets (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const char *context = _ ("cannot ask for QEMU's descriptors");
  g_autoptr (StasisJson) sets
      = stasis_command_run_list (monitor, "query-fdsets", context, cancellable, error);
  if (sets == NULL)
    return NULL;

  g_autoptr (GPtrArray) members = g_ptr_array_new_with_free_func (free_member);
  g_autoptr (GError) fault = NULL;
  for (guint i = 0; i < stasis_json_array_length (sets); i++)
    if (!add_members (members, stasis_json_array_get (sets, i), &fault))
      {
        stasis_command_throw_reply ("query-fdsets", context, fault, error);
        return NULL;
      }
  return g_steal_pointer (&members);
}

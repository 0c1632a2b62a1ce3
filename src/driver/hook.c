/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook.c: an operation on a domain is told to the programs of the administrator
 *
 * Theory of operation
 *
 * libvirt's hooks for QEMU (docs/hooks.md).  Those at the beginning are called by whoever starts or
 * saves the domain and may refuse it (hook-begin.c); those at the end by whoever clears it away,
 * the supervisor mostly, which has no definition but the file that is kept for them beside the
 * marks.
 */

#include "config.h"

#include "driver/hook.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/hook-files.h"
#include "driver/hook-marks.h"
#include "driver/hook-process.h"
#include "util/fault.h"
#include "util/fd.h"

#define GRACE_MS 10000 /* for the end of a process group that takes too long */

/* Whatever is wrong with hooks. */
gboolean
stasis_hook_throw (GError *cause_take, GError **error)
{
  if (!g_error_matches (cause_take, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      cause_take->domain = STASIS_ERROR;
      cause_take->code = STASIS_ERROR_HOOK;
    }
  g_propagate_error (error, cause_take);
  return FALSE;
}

/* A descriptor for @xml. */
int
stasis_hook_input (const char *xml, GError **error)
{
  stasis_autofd int fd = memfd_create ("stasis-hook", MFD_CLOEXEC);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a memory file"));
      return -1;
    }
  return stasis_fd_write_exact (fd, xml, strlen (xml), error) ? stasis_fd_steal (&fd) : -1;
}

static gboolean
is_blank (const char *text)
{
  return text[strspn (text, " \t\r\n")] == '\0';
}

/* What one made of the definition is the next one's. */
static gboolean
take_xml (GString *output, int *input, char **out_xml, GError **error)
{
  if (is_blank (output->str))
    return TRUE;
  if (strlen (output->str) != output->len || !g_utf8_validate (output->str, -1, NULL))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_XML, _ ("it wrote no text"));
      return FALSE;
    }
  const int fd = stasis_hook_input (output->str, error);
  if (fd < 0)
    return FALSE;
  stasis_fd_clear (input);
  *input = fd;
  g_free (*out_xml);
  *out_xml = g_strdup (output->str);
  return TRUE;
}

/* @input changes with what it writes, where that is wanted. */
static gboolean
call_one (const StasisHookCall *call, const StasisHookFile *file, int *input, char **out_xml,
          GCancellable *cancellable, GError **error)
{
  const StasisHookPoint *point = &call->point;
  g_autofree char *mark
      = call->run_folder != NULL
            ? stasis_hook_mark_path (call->run_folder, point->operation, point->sub, file->key)
            : NULL;
  if (call->is_once && stasis_hook_mark_await (mark, call->timeout_s))
    return TRUE;
  if (!call->is_once && mark != NULL)
    unlink (mark);
  const char *args[] = { call->name, point->operation, point->sub,
                         point->extra != NULL ? point->extra : "-", NULL };
  const StasisHookProcess process = { .program = file->path,
                                      .args = args,
                                      .input = *input,
                                      .mark = mark,
                                      .outlives_us = call->is_once,
                                      .timeout_s = call->timeout_s };
  g_autoptr (GString) output = out_xml != NULL ? g_string_new (NULL) : NULL;
  g_autoptr (GError) local = NULL;
  const StasisHookResult result = stasis_hook_process_run (&process, output, cancellable, &local);
  if (!call->is_once && mark != NULL)
    stasis_hook_mark_done (mark);
  /* By one of a process that has died right after it was begun. */
  if (result == STASIS_HOOK_CALLED_ALREADY && stasis_hook_mark_await (mark, call->timeout_s))
    return TRUE;
  if (result == STASIS_HOOK_WENT_WELL
      && (output == NULL || take_xml (output, input, out_xml, &local)))
    return TRUE;
  g_propagate_prefixed_error (error, g_steal_pointer (&local),
                              _ ("hook '%1$s', '%2$s' of domain '%3$s': "), file->path,
                              point->operation, call->name);
  return FALSE;
}

static gboolean
call_all (const StasisHookCall *call, const GPtrArray *files, int input, char **out_xml,
          GCancellable *cancellable, GError **error)
{
  stasis_autofd int current = fcntl (input, F_DUPFD_CLOEXEC, 3);
  if (current < 0)
    return stasis_throw_errno (error, _ ("cannot duplicate a descriptor"));
  GError *first = NULL;
  for (guint i = 0; i < files->len && !g_cancellable_is_cancelled (cancellable); i++)
    {
      GError *next = NULL;
      if (!call_one (call, g_ptr_array_index (files, i), &current, out_xml, cancellable, &next))
        {
          if (first == NULL)
            first = next;
          else
            {
              g_warning ("%s", next->message);
              g_error_free (next);
            }
        }
    }
  if (first != NULL)
    {
      g_propagate_error (error, first);
      return FALSE;
    }
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* Call all hooks that there are. */
gboolean
stasis_hook_call (const StasisHookCall *call, int input, char **out_xml, GCancellable *cancellable,
                  GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GPtrArray) files = stasis_hook_files (call->folder, &local);
  if (files == NULL)
    return stasis_hook_throw (g_steal_pointer (&local), error);
  if (files->len == 0)
    return TRUE;
  g_autofree char *before = g_strdup_printf ("hook-%s", call->point.operation);
  g_autofree char *after = g_strdup_printf ("hook-%s-called", call->point.operation);
  g_autofree char *xml = NULL;
  if (!stasis_fault (before, &local)
      || !call_all (call, files, input, out_xml != NULL ? &xml : NULL, cancellable, &local)
      || !stasis_fault (after, &local))
    return stasis_hook_throw (g_steal_pointer (&local), error);
  if (out_xml != NULL)
    *out_xml = g_steal_pointer (&xml);
  return TRUE;
}

/* Nobody listens to them any more. */
static void
end_orphans (const char *folder)
{
  static const char *const operations[] = { "prepare", "start", "started", "save", "checkpoint" };
  for (gsize i = 0; i < G_N_ELEMENTS (operations); i++)
    stasis_hook_marks_end (folder, operations[i], "begin");
}

static void
call_at_end (const StasisStatus *status, const char *folder, const StasisHookPoint *point)
{
  const StasisHookCall call = { .folder = status->hooks,
                                .timeout_s = status->hook_timeout,
                                .name = status->name,
                                .point = *point,
                                .run_folder = folder,
                                .is_once = TRUE };
  g_autofree char *path = g_build_filename (folder, STASIS_HOOK_XML, NULL);
  g_autoptr (GError) error = NULL;
  stasis_autofd int input = stasis_fd_open (path, O_RDONLY | O_NOFOLLOW, 0, &error);
  if (input < 0 || !stasis_hook_call (&call, input, NULL, NULL, &error))
    g_warning ("%s", error->message);
}

/* A save, or a checkpoint, whose hooks were asked is over. */
void
stasis_hook_end_save (const StasisStatus *status, const char *folder, const char *result)
{
  if (status->hooks == NULL)
    return;
  end_orphans (folder);
  if (stasis_hook_marks_have (folder, "save", "begin"))
    {
      call_at_end (status, folder, &(StasisHookPoint){ "saved", "end", result });
      stasis_hook_marks_clear (folder, "save", "begin");
      stasis_hook_marks_clear (folder, "saved", "end");
    }
  if (stasis_hook_marks_have (folder, "checkpoint", "begin"))
    {
      call_at_end (status, folder, &(StasisHookPoint){ "checkpoint", "end", result });
      stasis_hook_marks_clear (folder, "checkpoint", "begin");
      stasis_hook_marks_clear (folder, "checkpoint", "end");
    }
}

/* QEMU has ended. */
void
stasis_hook_stopped (const StasisStatus *status, const char *folder)
{
  if (status->hooks == NULL || !stasis_hook_marks_have (folder, "prepare", "begin"))
    return;
  end_orphans (folder);
  call_at_end (status, folder, &(StasisHookPoint){ "stopped", "end", NULL });
}

/* Nothing of it is left. */
void
stasis_hook_release (const StasisStatus *status, const char *folder, const char *reason)
{
  if (status->hooks == NULL || !stasis_hook_marks_have (folder, "prepare", "begin"))
    return;
  call_at_end (status, folder, &(StasisHookPoint){ "release", "end", reason });
  /* The folder goes now, in any order: without these nobody calls them again. */
  stasis_hook_marks_clear (folder, "prepare", "begin");
}

/* For how long those may take. */
int
stasis_hook_end_bound_ms (const StasisStatus *status)
{
  static const guint n_points = 3;
  g_autoptr (GPtrArray) files
      = status->hooks != NULL ? stasis_hook_files (status->hooks, NULL) : NULL;
  const gint64 each_ms = (gint64) status->hook_timeout * 1000 + GRACE_MS;
  return files != NULL ? (int) MIN (each_ms * n_points * files->len, G_MAXINT / 2) : 0;
}

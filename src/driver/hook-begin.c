/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-begin.c: hooks that are asked before something is done
 *
 * From the first of them on the run folder has marks of what was called, and the definition that
 * the hooks at the end get (hook.c).
 */

#include "config.h"

#include "driver/hook-begin.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hook-files.h"
#include "driver/hook-marks.h"
#include "driver/hook.h"
#include "driver/live-def.h"
#include "driver/side-thread.h"
#include "util/atomic-file.h"
#include "util/fd.h"

/* TRUE where there are none, or an error: nothing is to be done. */
static gboolean
has_none (const char *folder, gboolean *out_ok, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GPtrArray) files = folder != NULL ? stasis_hook_files (folder, &local) : NULL;
  *out_ok = folder == NULL || files != NULL || stasis_hook_throw (g_steal_pointer (&local), error);
  return files == NULL || files->len == 0;
}

static int
write_input (const StasisHold *hold, StasisDomainDef *def, GError **error)
{
  g_autofree char *marks = g_build_filename (hold->folder, STASIS_HOOK_MARKS, NULL);
  g_autofree char *path = g_build_filename (hold->folder, STASIS_HOOK_XML, NULL);
  g_autofree char *xml = stasis_live_def_format_public (def, hold->status->id);
  if (!stasis_paths_make (marks, error)
      || !stasis_atomic_file_write (path, xml, strlen (xml), 0600, error))
    return -1;
  return stasis_fd_open (path, O_RDONLY | O_NOFOLLOW, 0, error);
}

/* What an earlier one has left counts for this one no more. */
static void
clear_marks (const char *folder, const char *operation)
{
  if (g_str_equal (operation, "save"))
    stasis_hook_marks_clear (folder, "saved", "end");
  if (g_str_equal (operation, "checkpoint"))
    stasis_hook_marks_clear (folder, "checkpoint", "end");
  stasis_hook_marks_clear (folder, operation, "begin");
}

/* Ask the hooks of this domain. */
gboolean
stasis_hook_begin (StasisHold *hold, StasisDomainDef *def, const char *operation,
                   GCancellable *cancellable, GError **error)
{
  const StasisStatus *status = hold->status;
  gboolean ok = FALSE;
  if (has_none (status->hooks, &ok, error))
    return ok;
  const StasisHookCall call = { .folder = status->hooks,
                                .timeout_s = status->hook_timeout,
                                .name = status->name,
                                .point = { operation, "begin", NULL },
                                .run_folder = hold->folder };
  stasis_autofd int input = write_input (hold, def, error);
  if (input < 0)
    return FALSE;
  clear_marks (hold->folder, operation);
  return stasis_hook_call (&call, input, NULL, cancellable, error);
}

/* FALSE where there are none. */
gboolean
stasis_hook_may_be_asked (const StasisHold *hold)
{
  return hold->status->hooks != NULL && access (hold->status->hooks, F_OK) == 0;
}

typedef struct
{
  StasisHold *hold;
  StasisDomainDef *def;
  const char *operation;
} Question;

static gboolean
ask (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  const Question *question = data;
  return stasis_hook_begin (question->hold, question->def, question->operation, cancellable, error);
}

/* The same in the middle of a job: on a second thread, while this one tells how it stands. */
gboolean
stasis_hook_begin_in_job (StasisHold *hold, StasisDomainDef *def, const char *operation,
                          StasisJob *job, GError **error)
{
  Question question = { hold, def, operation };
  if (!stasis_hook_may_be_asked (hold))
    return TRUE;
  stasis_job_set_phase (job, "ask the hooks");
  return stasis_side_thread_run ("hooks", ask, &question, job, NULL, NULL, error);
}

/* Ask those for a guest that comes with its definition. */
gboolean
stasis_hook_filter (StasisDriver *driver, const StasisDomainDef *def, const char *operation,
                    char **out_xml, GCancellable *cancellable, GError **error)
{
  const StasisHooksConfig *config = &driver->host->hooks;
  gboolean ok = FALSE;
  *out_xml = NULL;
  if (has_none (config->is_off ? NULL : config->folder, &ok, error))
    return ok;
  g_autofree char *xml = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE
                                                            | STASIS_DOMAIN_FORMAT_MIGRATABLE
                                                            | STASIS_DOMAIN_FORMAT_SECURE);
  const StasisHookCall call = { .folder = config->folder,
                                .timeout_s = config->timeout,
                                .name = def->name,
                                .point = { operation, "begin", NULL } };
  stasis_autofd int input = stasis_hook_input (xml, error);
  return input >= 0 && stasis_hook_call (&call, input, out_xml, cancellable, error);
}

/* Tell those of a running domain that a daemon has come to it. */
gboolean
stasis_hook_reconnect (StasisDomain *domain, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisStatus) status = stasis_domain_read_status (domain);
  gboolean ok = FALSE;
  if (status == NULL)
    return TRUE;
  if (has_none (status->hooks, &ok, error))
    return ok;
  g_autoptr (StasisDomainDef) def = stasis_domain_load_live (domain, error);
  if (def == NULL)
    return FALSE;
  const StasisHookCall call = { .folder = status->hooks,
                                .timeout_s = status->hook_timeout,
                                .name = status->name,
                                .point = { "reconnect", "begin", NULL } };
  g_autofree char *xml = stasis_live_def_format_public (def, status->id);
  stasis_autofd int input = stasis_hook_input (xml, error);
  return input >= 0 && stasis_hook_call (&call, input, NULL, cancellable, error);
}

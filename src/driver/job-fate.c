/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-fate.c: whether a job is aborted or commits: who comes first is right
 *
 * Theory of operation
 *
 * The supervisor takes wishes to abort and tells the job of them when it answers its updates.  That
 * may come too late, and a job whose guest stands still does not wait for a supervisor that is
 * slow.  So both decide at one place where neither waits for the other: a symbolic link in the
 * domain's run folder, which is made with what it says in one step, and by one of them only.  An
 * abort is accepted once the link says so, and the job commits once it says that.
 *
 * Several jobs may go on at once, and one may leave a link behind when it is killed.  So each has
 * an id that is in its link's name; supervisors and drivers of before that know one link for all.
 */

#include "config.h"

#include "driver/job-fate.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define FATE_FILE "job-fate"

#define ID_MAX 32u /* characters */

static const char *const words[] = { "", "abort", "commit" };

/* A new one: nobody else has had it. */
char *
stasis_job_id_new (void)
{
  guint64 number = 0;
  /* So few octets never come short, and never block once the machine is up. */
  const gssize n = getrandom (&number, sizeof number, 0);
  g_assert (n == sizeof number);
  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x", number);
}

/* It becomes part of a file's name. */
gboolean
stasis_job_id_is_valid (const char *id)
{
  const gsize length = strnlen (id, ID_MAX + 1);
  return length > 0 && length <= ID_MAX && strspn (id, "0123456789abcdef") == length;
}

static char *
link_path (const char *folder, const char *id)
{
  g_autofree char *name = id != NULL ? g_strconcat (FATE_FILE "-", id, NULL) : NULL;
  return g_build_filename (folder, name != NULL ? name : FATE_FILE, NULL);
}

/* What has been decided. */
StasisJobFate
stasis_job_fate_get (const char *folder, const char *id)
{
  g_autofree char *path = link_path (folder, id);
  g_autofree char *word = g_file_read_link (path, NULL);
  if (g_strcmp0 (word, words[STASIS_JOB_FATE_ABORT]) == 0)
    return STASIS_JOB_FATE_ABORT;
  if (g_strcmp0 (word, words[STASIS_JOB_FATE_COMMIT]) == 0)
    return STASIS_JOB_FATE_COMMIT;
  return STASIS_JOB_FATE_OPEN;
}

/* Decide, unless somebody has. */
StasisJobFate
stasis_job_fate_decide (const char *folder, const char *id, StasisJobFate fate, GError **error)
{
  g_autofree char *path = link_path (folder, id);
  if (symlink (words[fate], path) == 0)
    return fate;
  const int number = errno;
  const StasisJobFate decided
      = number == EEXIST ? stasis_job_fate_get (folder, id) : STASIS_JOB_FATE_OPEN;
  errno = number;
  if (decided == STASIS_JOB_FATE_OPEN)
    stasis_throw_errno (error, _ ("cannot make '%s'"), path);
  return decided;
}

/* Nobody asks any more. */
void
stasis_job_fate_clear (const char *folder, const char *id)
{
  g_autofree char *path = link_path (folder, id);
  unlink (path);
}

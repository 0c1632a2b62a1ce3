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
 */

#include "config.h"

#include "driver/job-fate.h"

#include <errno.h>
#include <unistd.h>

#define FATE_FILE "job-fate"

static const char *const words[] = { "", "abort", "commit" };

/* What has been decided. */
StasisJobFate
stasis_job_fate_get (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, FATE_FILE, NULL);
  g_autofree char *word = g_file_read_link (path, NULL);
  if (g_strcmp0 (word, words[STASIS_JOB_FATE_ABORT]) == 0)
    return STASIS_JOB_FATE_ABORT;
  if (g_strcmp0 (word, words[STASIS_JOB_FATE_COMMIT]) == 0)
    return STASIS_JOB_FATE_COMMIT;
  return STASIS_JOB_FATE_OPEN;
}

/* Decide, unless somebody has. */
StasisJobFate
stasis_job_fate_decide (const char *folder, StasisJobFate fate)
{
  g_autofree char *path = g_build_filename (folder, FATE_FILE, NULL);
  if (symlink (words[fate], path) == 0)
    return fate;
  if (errno == EEXIST)
    return stasis_job_fate_get (folder);
  g_debug ("'%s': %s", path, g_strerror (errno));
  return STASIS_JOB_FATE_OPEN;
}

/* Of the next job nothing is decided. */
void
stasis_job_fate_clear (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, FATE_FILE, NULL);
  unlink (path);
}

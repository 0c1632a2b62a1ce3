/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-check.c: verify the image that the guest's memory is mapped from, while it runs
 *
 * Theory of operation
 *
 * A guest that was restored instantly runs on memory that nobody has looked at since the image was
 * stamped.  So a program of its own (src/verify) reads all of the image once, beside the guest; it
 * is killed with us, and a later supervisor begins anew.  Where it finds damage the guest is paused
 * first and then the finding is written down: whoever dies in between has the next one find it
 * again.  The user may resume the guest, who then knows; a save that comes before the end of the
 * check waits for it (driver/memory-check.h).
 *
 * Clones have one image: the programs of their supervisors agree that one reads it (verify/once.h).
 */

#include "config.h"

#include "supervisor/memory-check.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/memory-check.h"
#include "driver/paths.h"
#include "driver/spawn.h"
#include "util/fd.h"

#define PROGRAM      "stasis-verify"
#define EXIT_DAMAGED 1
#define MESSAGE_MAX  4096
#define RETRY_MS     1000
#define BEGIN_MS     100

struct _StasisMemoryChecker
{
  const char *folder; /* (borrowed: outlives us) */
  StasisLife *life;   /* (borrowed: outlives us) */
  GPid pid;           /* of the program; 0: it does not run */
  int output;         /* (owned) what it says, or -1 */
  char *stamp;        /* (owned) (nullable) */
  char *damage;       /* (owned) (nullable) what it found */
  guint begin;        /* the source that will start it, or 0 */
  gboolean is_over;
  StasisMemoryFinding finding; /* once it is over, so for the following */
  char *message;               /* (owned) (nullable) */
  gboolean is_unwritten;       /* so far, and that has been said */
};

static void pause_guest (StasisMemoryChecker *self);

/* Others wait for it: where it cannot be written now it is tried again. */
static gboolean
write_finding (gpointer data)
{
  StasisMemoryChecker *self = data;
  g_autoptr (GError) error = NULL;
  if (!self->is_over
      || stasis_memory_check_write (self->folder, self->finding, self->message, &error))
    return G_SOURCE_REMOVE;
  if (!self->is_unwritten)
    g_message ("%s", error->message);
  self->is_unwritten = TRUE;
  return G_SOURCE_CONTINUE;
}

static void
settle (StasisMemoryChecker *self, StasisMemoryFinding finding, const char *message)
{
  self->is_over = TRUE;
  self->finding = finding;
  self->message = g_strdup (message);
  if (write_finding (self))
    g_timeout_add (RETRY_MS, write_finding, self);
}

static gboolean
on_retry (gpointer data)
{
  pause_guest (data);
  return G_SOURCE_REMOVE;
}

static void
on_paused (const GError *error, gpointer data)
{
  StasisMemoryChecker *self = data;
  if (error != NULL)
    {
      g_message ("%s", error->message);
      g_timeout_add (RETRY_MS, on_retry, self);
      return;
    }
  if (self->stamp != NULL)
    unlink (self->stamp);
  settle (self, STASIS_MEMORY_FINDING_DAMAGED, self->damage);
}

static void
pause_guest (StasisMemoryChecker *self)
{
  stasis_life_pause (self->life, on_paused, self);
}

/* What the program said, as far as it is of use. */
static char *
take_output (StasisMemoryChecker *self)
{
  char text[MESSAGE_MAX + 1];
  const gssize n = pread (self->output, text, MESSAGE_MAX, 0);
  stasis_fd_clear (&self->output);
  text[MAX (n, 0)] = '\0';
  return g_strdup (text);
}

static void
on_ended (GPid pid, gint wait_status, gpointer data)
{
  StasisMemoryChecker *self = data;
  g_autofree char *output = take_output (self);
  g_autoptr (GError) error = NULL;
  self->pid = 0;
  if (self->is_over)
    return;
  if (g_spawn_check_wait_status (wait_status, &error))
    {
      settle (self, STASIS_MEMORY_FINDING_GOOD, NULL);
      return;
    }
  if (!WIFEXITED (wait_status) || WEXITSTATUS (wait_status) != EXIT_DAMAGED)
    {
      g_warning (_ ("the memory image could not be verified: %s"), error->message);
      settle (self, STASIS_MEMORY_FINDING_UNKNOWN, error->message);
      return;
    }
  g_warning (_ ("the guest is paused, for its memory comes from a damaged image: %s"), output);
  self->damage = g_steal_pointer (&output);
  pause_guest (self);
}

/* (transfer full) (nullable): what the programs agree by, for this image. */
static char *
record_path (const StasisMemoryChecker *self, const StasisStatus *status)
{
  g_autofree char *domains = g_path_get_dirname (self->folder);
  g_autofree char *run = g_path_get_dirname (domains);
  g_autofree char *folder = g_build_filename (run, "verified", NULL);
  if (status->memory_since_us == 0 || !stasis_paths_make (folder, NULL))
    return NULL;
  return g_strdup_printf ("%s/%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x", folder,
                          status->memory_image_id.device, status->memory_image_id.inode);
}

static gboolean
spawn (StasisMemoryChecker *self, const StasisStatus *status, GError **error)
{
  stasis_autofd int image = stasis_memory_check_open_image (status, error);
  if (image < 0)
    return FALSE;
  self->output = memfd_create ("stasis-verify", MFD_CLOEXEC);
  if (self->output < 0)
    return stasis_throw_errno (error, _ ("cannot make a memory file"));

  g_autofree char *program = stasis_spawn_find_helper (PROGRAM);
  g_autofree char *number = g_strdup_printf ("%d", image);
  g_autofree char *record = record_path (self, status);
  g_autofree char *since = g_strdup_printf ("%" G_GINT64_FORMAT, status->memory_since_us);
  const char *argv[] = { program, number, status->memory_image, record, since, NULL };
  if (!g_spawn_async_with_pipes_and_fds (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                         -1, self->output, -1, &image, &image, 1, &self->pid, NULL,
                                         NULL, NULL, error))
    {
      stasis_fd_clear (&self->output);
      return FALSE;
    }
  g_child_watch_add (self->pid, on_ended, self);
  return TRUE;
}

/* Start it, unless the status says by now that nobody wants it. */
static gboolean
on_begin (gpointer data)
{
  StasisMemoryChecker *self = data;
  self->begin = 0;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStatus) status = stasis_status_read (self->folder, &error);
  if (self->is_over || (status != NULL && status->journal.step != STASIS_STEP_NONE))
    return G_SOURCE_REMOVE;
  g_free (self->stamp);
  self->stamp = status != NULL ? g_strdup (status->memory_stamp) : NULL;
  if (status != NULL && spawn (self, status, &error))
    return G_SOURCE_REMOVE;
  g_warning (_ ("the memory image could not be verified: %s"), error->message);
  settle (self, STASIS_MEMORY_FINDING_UNKNOWN, error->message);
  return G_SOURCE_REMOVE;
}

/* The status file says this now. */
void
stasis_memory_checker_set_status (StasisMemoryChecker *self, const StasisStatus *status)
{
  if (!stasis_memory_check_is_wanted (status))
    {
      self->is_over = TRUE;
      if (self->pid > 0)
        kill (self->pid, SIGTERM);
      return;
    }
  /* The guest comes first, and who has brought it back: it is loaded, and has run a moment. */
  if (self->is_over || self->pid > 0 || self->begin != 0 || self->damage != NULL
      || status->journal.step != STASIS_STEP_NONE
      || stasis_memory_check_read (self->folder, NULL) != STASIS_MEMORY_FINDING_NONE_YET)
    return;
  self->begin = g_timeout_add (BEGIN_MS, on_begin, self);
}

/* For the domain of this folder. */
StasisMemoryChecker *
stasis_memory_checker_new (const char *folder, StasisLife *life)
{
  StasisMemoryChecker *self = g_new0 (StasisMemoryChecker, 1);
  self->folder = folder;
  self->life = life;
  self->output = -1;
  return self;
}

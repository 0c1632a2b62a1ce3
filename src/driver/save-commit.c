/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-commit.c: the moment at which the image, and no longer the guest, is what counts
 *
 * Theory of operation
 *
 * Last of all it is asked whether the guest has stood still: an image of one that has not is none.
 *
 * A file: it gets its temporary name, the journal says COMMIT with its inode, it is renamed.  Which
 * name that inode has tells whoever recovers what happened.  Of a guest that goes on beside its
 * image the journal never says COMMIT: whatever happens, it goes on.  A folder, a target or a
 * temporary name that is another one by then fails the save, and the guest goes on.  Right before
 * the rename is the last moment for an abort (job-fate.c).
 *
 * A descriptor: everything but the end of the image has been sent; the journal says COMMIT without
 * a target; the end is sent, and the reader is waited for until it has taken it.  A reader that
 * goes away before any of the end has gone has no complete image, so the guest may go on; so it may
 * where the reader goes within the end of a kind of which nothing may be missing (save-sink.c).  Of
 * the other kinds, and else, nobody can know in between: a process that dies, or is told not to
 * wait any longer, leaves the guest paused, and people decide; so does one that was told in the
 * instant in which the reader had taken it.
 * A reader behind who reads the descriptor, on another host perhaps, is waited for before that,
 * too, so that only the end is under way then.
 */

#include "config.h"

#include "driver/save-commit.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/side-thread.h"
#include "util/fault.h"

static gboolean
write_journal (StasisHold *hold, GError **error)
{
  hold->status->journal.step = STASIS_STEP_COMMIT;
  return stasis_hold_write (hold, error) && stasis_fault ("save-commit", error);
}

static StasisSaveOutcome
commit_file (StasisSavePlace *place, StasisHold *hold, StasisJob *job, const StasisStill *still,
             GError **error)
{
  /* Named first: at COMMIT the journal's inode is the new file's, under one name or the other. */
  gboolean renamed = FALSE;
  g_autoptr (GError) local = NULL;
  if (stasis_atomic_file_link (place->file, &local) && stasis_fault ("save-linked", &local)
      && (still == NULL || (write_journal (hold, &local) && stasis_still_check (still, &local)))
      && stasis_job_commit (job, &local)
      && stasis_atomic_file_rename (place->file, &renamed, &local))
    return STASIS_SAVE_COMPLETE;
  if (renamed)
    {
      g_warning ("%s: the image is complete, but may lose its name in a power failure",
                 local->message);
      return STASIS_SAVE_COMPLETE;
    }
  /* Before the guest goes on: nobody shall find a complete image where it may have been moved. */
  stasis_atomic_file_drop (place->file);
  g_propagate_error (error, g_steal_pointer (&local));
  return STASIS_SAVE_OPEN;
}

/* What is done on a second thread: a reader may let us wait, and the job is to be seen and aborted
 * meanwhile. */
static void
show_written (StasisJobStats *stats, gpointer data)
{
  stats->bytes_written = stasis_save_place_written (data);
}

typedef struct
{
  StasisSaveSink *sink; /* (borrowed) */
  gboolean begun;
} Sending;

static gboolean
settle (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  const Sending *sending = data;
  return stasis_save_sink_settle (sending->sink, cancellable, error);
}

/* The end is on its way. */
static gboolean
await_reader (StasisSavePlace *place, StasisJob *job, GError **error)
{
  stasis_job_set_phase (job, "wait for the reader");
  return stasis_save_sink_await_reader (place->sink, stasis_job_cancellable (job), job, error);
}

static gboolean
release (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  Sending *sending = data;
  return stasis_save_sink_release (sending->sink, &sending->begun, cancellable, error);
}

/* The reader has gone, and cannot have a complete image. */
static gboolean
has_lost_reader (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

static StasisSaveOutcome
commit_stream (StasisSavePlace *place, StasisHold *hold, StasisJob *job, const StasisStill *still,
               GError **error)
{
  Sending sending = { .sink = place->sink };
  stasis_job_set_phase (job, "commit");
  if (!stasis_side_thread_run ("settle", settle, &sending, job, show_written, place, error)
      || (place->reader != NULL && !await_reader (place, job, error))
      || !stasis_fault ("save-linked", error) || !write_journal (hold, error)
      || !stasis_still_check (still, error) || !stasis_job_check (job, error))
    return STASIS_SAVE_OPEN;

  g_autoptr (GError) local = NULL;
  if (stasis_side_thread_run ("release", release, &sending, job, show_written, place, &local)
      && stasis_fault ("save-released", &local) && await_reader (place, job, &local)
      && stasis_job_commit (job, &local))
    return STASIS_SAVE_COMPLETE;
  if (!sending.begun || has_lost_reader (local))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return STASIS_SAVE_OPEN;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("%1$s; the reader may have a complete image, so the domain stays paused: "
                  "'destroy' ends it, 'resume' lets it go on if there is no such image"),
               local->message);
  return STASIS_SAVE_UNDECIDED;
}

/* Complete the image. */
StasisSaveOutcome
stasis_save_commit (StasisSavePlace *place, StasisHold *hold, StasisJob *job,
                    const StasisStill *still, GError **error)
{
  if (!stasis_job_check (job, error))
    return STASIS_SAVE_OPEN;
  if (place->file != NULL)
    return commit_file (place, hold, job, still, error);
  return commit_stream (place, hold, job, still, error);
}

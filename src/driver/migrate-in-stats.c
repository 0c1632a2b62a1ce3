/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-stats.c: what the destination keeps of a migration's statistics
 *
 * Its QEMU counts nothing of what comes in, so the source's counts are kept, as libvirt does it.
 * They are another host's word: only numbers are taken, and nothing is decided by them.
 */

#include "config.h"

#include "driver/job-stats-json.h"
#include "driver/migrate-in-private.h"

void
stasis_migrate_in_take_stats (StasisMigrateIn *in, const StasisMigrateFinal *sent)
{
  g_autoptr (StasisJobStats) theirs
      = sent->stats != NULL ? stasis_job_stats_from_json (sent->stats, NULL) : NULL;
  StasisJobStats *stats = stasis_job_stats (in->job);
  if (theirs == NULL)
    return;
  stats->bytes_total = theirs->bytes_total;
  stats->bytes_processed = theirs->bytes_processed;
  stats->bytes_remaining = theirs->bytes_remaining;
  stats->bytes_written = theirs->bytes_written;
  stats->pages_zero = theirs->pages_zero;
  stats->pages_skipped = theirs->pages_skipped;
  stats->pages_normal = theirs->pages_normal;
  stats->page_size = theirs->page_size;
  stats->passes = theirs->passes;
}

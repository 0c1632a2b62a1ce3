/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h: talk to the supervisor of a running domain
 *
 * docs/supervisor.md describes the wire.  Every call blocks for five seconds at most, an update of
 * a job for a twentieth of one; its error names the domain.  A connection belongs to one thread at
 * a time.
 */

#pragma once

#include <gio/gio.h>
#include <stasis/domain.h>

G_BEGIN_DECLS

typedef struct _StasisControl StasisControl;

/* Not connected: a job's update connects. */
StasisControl *stasis_control_new (const char *folder) G_GNUC_WARN_UNUSED_RESULT;
/* Connect to the supervisor of the domain whose run folder this is. */
StasisControl *stasis_control_open (const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A job that was begun on it and not ended counts as died with its owner.  NULL is fine. */
void stasis_control_free (StasisControl *control);

/* The supervisor's pid. */
gint64 stasis_control_get_pid (const StasisControl *control);

/* The process of the QEMU that it is beside; 0: it does not say. */
gint64 stasis_control_get_qemu (StasisControl *control, GError **error);

/* @out_reason: (transfer full) (nullable): "booted", "user" ..., as virsh prints it */
gboolean stasis_control_get_state (StasisControl *control, StasisDomainState *out_state,
                                   char **out_reason, GError **error);

/* Return once the supervisor has seen all that QEMU did until now. */
gboolean stasis_control_sync (StasisControl *control, GError **error);

/* This process begins a job (@id: nullable, job-fate.h), and lives on as long as the connection
 * does.  STASIS_ERROR_BUSY where another connection has one; then, and after any other failure,
 * each update tries again, without waiting.  If the supervisor is replaced meanwhile, the next
 * update finds the new one by itself.  An update that finds the supervisor silent is dropped, and
 * so is every later one until it has answered: nothing is waited for, a guest may stand still.  A
 * job in the background does not stop the guest; the same connection may begin it again, in the
 * foreground. */
gboolean stasis_control_job_begin (StasisControl *control, const char *operation, const char *id,
                                   gboolean is_background, GError **error);
gboolean stasis_control_job_update (StasisControl *control, const StasisJobStats *stats,
                                    gboolean *out_abort, GError **error);
gboolean stasis_control_job_end (StasisControl *control, const StasisJobStats *stats,
                                 GError **error);

/* Whether the last reply to the beginning of a job, which may have refused it, said that the
 * supervisor knows jobs by their ids. */
gboolean stasis_control_knows_ids (const StasisControl *control);

/* The job that goes on, from whatever process: (transfer full), state NONE where there is none. */
StasisJobStats *stasis_control_get_job (StasisControl *control,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Its owner sees it with its next update, or before it commits.  STASIS_ERROR_INVALID_STATE where
 * there is no job, or where it is too late. */
gboolean stasis_control_abort_job (StasisControl *control, GError **error);

/* A device of that alias has come: those who watch hear of it. */
gboolean stasis_control_device_added (StasisControl *control, const char *alias, GError **error);

/* Press the power button; when the guest has shut down, it is reset instead of ended. */
gboolean stasis_control_reboot (StasisControl *control, GError **error);

/* Of the migration to another host that goes on.  @parameter: by QMP's name, one of those that can
 * be changed meanwhile; @value: negative: as it is; @out_value: (nullable): as it is then.
 * STASIS_ERROR_INVALID_STATE where there is none. */
gboolean stasis_control_migrate_limit (StasisControl *control, const char *parameter, gint64 value,
                                       guint64 *out_value, GError **error);

/* The guest of a migration to another host is to stand still; errors as above. */
gboolean stasis_control_migrate_stand (StasisControl *control, GError **error);

/* Of the migration that goes on: switch to postcopy.  STASIS_ERROR_INVALID_STATE where there is
 * none; it happens a moment later. */
gboolean stasis_control_migrate_postcopy (StasisControl *control, GError **error);

/* Of a postcopy: break off its connection.  Errors as above, or QEMU's. */
gboolean stasis_control_migrate_pause (StasisControl *control, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisControl, stasis_control_free)

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ops.h: what a driver that is elsewhere does instead of looking at a state directory
 *
 * The functions of the public API are those of an embedded driver.  One that was opened by a URI
 * of another process has a table of operations, and each of them asks that first: every slot is
 * filled, has the name of its function, and does what that is documented to do.  src/remote fills
 * the table and says how such a driver is opened: this folder knows of no protocol.
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct
{
  void (*close) (gpointer connection);

  /* driver.h */
  GPtrArray *(*list) (StasisDriver *self, StasisListFlags flags, GError **error);
  StasisDomain *(*lookup_by_name) (StasisDriver *self, const char *name, GError **error);
  StasisDomain *(*lookup_by_uuid) (StasisDriver *self, const char *uuid, GError **error);
  StasisDomain *(*lookup_by_id) (StasisDriver *self, int id, GError **error);
  StasisDomain *(*define) (StasisDriver *self, const char *xml, const char *source_name,
                           GError **error);
  StasisDomain *(*create) (StasisDriver *self, const char *xml, const char *source_name,
                           StasisStartFlags flags, GCancellable *cancellable, GError **error);
  StasisDomain *(*restore) (StasisDriver *self, const char *path, const char *xml,
                            StasisRestoreFlags flags, StasisProgressFunc progress,
                            gpointer user_data, GCancellable *cancellable, GError **error);
  /* @fd is the caller's */
  StasisDomain *(*restore_fd) (StasisDriver *self, int fd, const char *name, const char *xml,
                               StasisRestoreFlags flags, StasisProgressFunc progress,
                               gpointer user_data, GCancellable *cancellable, GError **error);
  char *(*get_capabilities) (StasisDriver *self, GError **error);
  char *(*get_qemu_version) (StasisDriver *self, GError **error);
  /* What is for the host alone, or needs a descriptor there: an error that names @what. */
  gboolean (*refuse) (StasisDriver *self, const char *what, GError **error);

  /* guests.h, and what is marked autostart */
  gboolean (*start_guests) (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
                            GCancellable *cancellable, GError **error);
  gboolean (*stop_guests) (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
                           GCancellable *cancellable, GError **error);
  GPtrArray *(*list_guests) (StasisDriver *self, GError **error);
  gboolean (*autostart) (StasisDriver *self, StasisReportFunc report, gpointer user_data,
                         GError **error);

  /* clone.h */
  StasisClones *(*clone) (StasisDriver *self, const StasisCloneRequest *request,
                          StasisProgressFunc progress, gpointer user_data,
                          GCancellable *cancellable, GError **error);
  GPtrArray *(*list_saved_clones) (StasisDriver *self, GError **error);
  gboolean (*drop_saved_clone) (StasisDriver *self, const char *uuid, gboolean force,
                                GError **error);
  char *(*get_clone_of) (StasisDomain *self, char **out_image, GError **error);

  /* domain.h: what it is */
  int (*get_id) (StasisDomain *self);
  gboolean (*is_persistent) (StasisDomain *self);
  gboolean (*get_state) (StasisDomain *self, StasisDomainState *out_state, const char **out_reason,
                         GError **error);
  gboolean (*get_info) (StasisDomain *self, StasisDomainInfo *out_info, GError **error);
  char *(*get_memory_image) (StasisDomain *self, gboolean *out_is_there, GError **error);
  char *(*get_flat_file) (StasisDomain *self, GError **error);
  StasisImageCheck (*get_image_check) (StasisDomain *self, char **out_message, GError **error);
  char *(*get_tracked_image) (StasisDomain *self, GError **error);
  char *(*get_xml) (StasisDomain *self, StasisXmlFlags flags, GError **error);
  gboolean (*get_autostart) (StasisDomain *self, gboolean *out_autostart, GError **error);
  gboolean (*set_autostart) (StasisDomain *self, gboolean autostart, GError **error);
  gboolean (*get_autostart_once) (StasisDomain *self, gboolean *out_autostart, GError **error);
  gboolean (*set_autostart_once) (StasisDomain *self, gboolean autostart, GError **error);

  /* its life */
  gboolean (*start) (StasisDomain *self, StasisStartFlags flags, StasisProgressFunc progress,
                     gpointer user_data, GCancellable *cancellable, GError **error);
  gboolean (*destroy) (StasisDomain *self, StasisDestroyFlags flags, GError **error);
  gboolean (*shutdown) (StasisDomain *self, GError **error);
  gboolean (*reboot) (StasisDomain *self, GError **error);
  gboolean (*reset) (StasisDomain *self, GError **error);
  gboolean (*suspend) (StasisDomain *self, GError **error);
  gboolean (*resume) (StasisDomain *self, GError **error);
  gboolean (*undefine) (StasisDomain *self, StasisUndefineFlags flags, GError **error);
  gboolean (*rename) (StasisDomain *self, const char *new_name, GError **error);

  /* its state */
  gboolean (*save_as) (StasisDomain *self, const StasisSaveRequest *request,
                       StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                       GError **error);
  gboolean (*managed_save) (StasisDomain *self, StasisSaveFlags flags, StasisProgressFunc progress,
                            gpointer user_data, GCancellable *cancellable, GError **error);
  gboolean (*managed_save_remove) (StasisDomain *self, GError **error);
  char *(*get_managed_save_path) (StasisDomain *self);
  gboolean (*detach_image) (StasisDomain *self, StasisDetachFlags flags,
                            StasisProgressFunc progress, gpointer user_data,
                            GCancellable *cancellable, GError **error);
  gboolean (*untrack) (StasisDomain *self, GError **error);

  /* handover.h */
  gboolean (*handover) (StasisDomain *self, const char *emulator, StasisHandoverFlags flags,
                        gint64 *out_pause_us, StasisProgressFunc progress, gpointer user_data,
                        GCancellable *cancellable, GError **error);
  StasisJobStats *(*get_job) (StasisDomain *self, gboolean completed, GError **error);
  gboolean (*abort_job) (StasisDomain *self, GError **error);

  /* migrate.h */
  gboolean (*migrate) (StasisDomain *self, const char *dest_uri, StasisMigrateFlags flags,
                       const StasisMigrateRequest *request, StasisProgressFunc progress,
                       gpointer user_data, GCancellable *cancellable, GError **error);
  gboolean (*migrate_begin) (StasisDomain *self, StasisMigrateFlags flags,
                             const StasisMigrateRequest *request, char **out_xml,
                             GBytes **out_cookie, GCancellable *cancellable, GError **error);
  gboolean (*migrate_prepare) (StasisDriver *self, StasisMigrateFlags flags,
                               const StasisMigrateRequest *request, const char *xml, GBytes *cookie,
                               GBytes **out_cookie, char **out_uri, GCancellable *cancellable,
                               GError **error);
  gboolean (*migrate_perform) (StasisDomain *self, StasisMigrateFlags flags,
                               const StasisMigrateRequest *request, GBytes *cookie,
                               GBytes **out_cookie, StasisProgressFunc progress, gpointer user_data,
                               GCancellable *cancellable, GError **error);
  StasisDomain *(*migrate_finish) (StasisDriver *self, StasisMigrateFlags flags, const char *name,
                                   GBytes *cookie, gboolean is_cancelled, GBytes **out_cookie,
                                   GError **error);
  gboolean (*migrate_confirm) (StasisDomain *self, StasisMigrateFlags flags, GBytes *cookie,
                               gboolean is_cancelled, GError **error);
  gboolean (*migrate_verdict) (StasisDriver *self, const char *token, gboolean revoke,
                               StasisMigrateVerdict *out_verdict, GCancellable *cancellable,
                               GError **error);
  gboolean (*migrate_resolve) (StasisDomain *self, StasisMigrateVerdict wish,
                               StasisMigrateVerdict *out_verdict, GCancellable *cancellable,
                               GError **error);

  gboolean (*migrate_start_postcopy) (StasisDomain *self, GError **error);
  gboolean (*migrate_pause_postcopy) (StasisDomain *self, GError **error);

  /* migrate-check.h */
  GPtrArray *(*check_migrate) (StasisDriver *self, StasisMigrateFlags flags,
                               const StasisMigrateRequest *request, const char *xml, GBytes *cookie,
                               GCancellable *cancellable, GError **error);

  /* migrate-limits.h */
  gboolean (*get_migrate_limit) (StasisDomain *self, StasisMigrateLimit which, guint64 *out_value,
                                 GError **error);
  gboolean (*set_migrate_limit) (StasisDomain *self, StasisMigrateLimit which, guint64 value,
                                 GError **error);

  /* its agent, its monitor */
  gboolean (*fs_freeze) (StasisDomain *self, guint *out_count, GCancellable *cancellable,
                         GError **error);
  gboolean (*fs_thaw) (StasisDomain *self, guint *out_count, GCancellable *cancellable,
                       GError **error);
  gboolean (*get_time) (StasisDomain *self, gint64 *out_ns, GCancellable *cancellable,
                        GError **error);
  gboolean (*set_time) (StasisDomain *self, gint64 ns, StasisSetTimeFlags flags,
                        GCancellable *cancellable, GError **error);
  char *(*monitor_command) (StasisDomain *self, const char *command,
                            StasisMonitorCommandFlags flags, GCancellable *cancellable,
                            GError **error);

  int (*open_console) (StasisDomain *self, const char *device, gboolean force, GError **error);

  /* device.h */
  gboolean (*attach_device) (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                             GCancellable *cancellable, GError **error);
  gboolean (*detach_device) (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                             gboolean *out_is_gone, GCancellable *cancellable, GError **error);
  gboolean (*detach_device_alias) (StasisDomain *self, const char *alias, StasisAffectFlags flags,
                                   gboolean *out_is_gone, GCancellable *cancellable,
                                   GError **error);
  gboolean (*update_device) (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                             GCancellable *cancellable, GError **error);
  gboolean (*set_memory) (StasisDomain *self, guint64 kib, StasisAffectFlags flags,
                          GCancellable *cancellable, GError **error);
  gboolean (*set_vcpus) (StasisDomain *self, guint count, StasisAffectFlags flags,
                         GCancellable *cancellable, GError **error);
  gboolean (*get_vcpus) (StasisDomain *self, StasisAffectFlags flags, guint *out_count,
                         GError **error);

  /* image.h, of files of that host */
  char *(*get_image_info) (StasisDriver *self, const char *path, GError **error);
  char *(*get_image_xml) (StasisDriver *self, const char *path, StasisXmlFlags flags,
                          GError **error);
  gboolean (*define_image_xml) (StasisDriver *self, const char *path, const char *xml,
                                const char *source_name, StasisSaveFlags flags, GError **error);
  gboolean (*check_image) (StasisDriver *self, const char *path, GPtrArray **out_damages,
                           StasisProgressFunc progress, gpointer user_data,
                           GCancellable *cancellable, GError **error);
  gboolean (*convert_image) (StasisDriver *self, const StasisImageConversion *request,
                             char ***out_lost, StasisProgressFunc progress, gpointer user_data,
                             GCancellable *cancellable, GError **error);
  gboolean (*flatten_image) (StasisDriver *self, const char *in_path, const char *out_path,
                             StasisProgressFunc progress, gpointer user_data,
                             GCancellable *cancellable, GError **error);
  GBytes *(*draw_image_map) (StasisDriver *self, const char *path, const char *format,
                             GCancellable *cancellable, GError **error);
} StasisDriverOps;

/* (transfer full): a connection for the operations, and in *@out_uri ((transfer full)) what it was
 * opened by. */
typedef gpointer (*StasisDriverOpener) (const char *uri, StasisOpenFlags flags,
                                        const StasisDriverAsk *ask, const StasisDriverOps **out_ops,
                                        char **out_uri, GCancellable *cancellable, GError **error);

/* Whom stasis_driver_open() asks for URIs of other processes; before the first of them. */
void stasis_driver_set_opener (StasisDriverOpener open);

/* (nullable): none where the driver is embedded. */
const StasisDriverOps *stasis_driver_get_ops (StasisDriver *self);
const StasisDriverOps *stasis_domain_get_ops (StasisDomain *self);
/* (transfer none): what the opener returned. */
gpointer stasis_driver_get_connection (StasisDriver *self);

/* A domain by what is known of it; @uuid may be NULL where the driver is embedded. */
StasisDomain *stasis_domain_new (StasisDriver *driver, const char *name, const char *uuid);
StasisDriver *stasis_domain_get_driver (StasisDomain *self);

/* What its list consists of. */
void stasis_clones_saved_free (StasisClonesSaved *self);

G_END_DECLS

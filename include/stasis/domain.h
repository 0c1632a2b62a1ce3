/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain.h: one virtual machine
 */

#pragma once

#include <gio/gio.h>
#include <stasis/job.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

#define STASIS_TYPE_DOMAIN (stasis_domain_get_type ())
G_DECLARE_FINAL_TYPE (StasisDomain, stasis_domain, STASIS, DOMAIN, GObject)

/**
 * StasisDomainState:
 * @STASIS_DOMAIN_NOSTATE: unknown
 * @STASIS_DOMAIN_RUNNING: its CPUs run
 * @STASIS_DOMAIN_BLOCKED: unused, kept for libvirt's numbering
 * @STASIS_DOMAIN_PAUSED: its CPUs are stopped
 * @STASIS_DOMAIN_SHUTDOWN: the guest has shut down, QEMU is still there
 * @STASIS_DOMAIN_SHUTOFF: no QEMU
 * @STASIS_DOMAIN_CRASHED: the guest has crashed
 * @STASIS_DOMAIN_PMSUSPENDED: the guest sleeps
 *
 * The numbers are libvirt's.
 */
typedef enum
{
  STASIS_DOMAIN_NOSTATE = 0,
  STASIS_DOMAIN_RUNNING = 1,
  STASIS_DOMAIN_BLOCKED = 2,
  STASIS_DOMAIN_PAUSED = 3,
  STASIS_DOMAIN_SHUTDOWN = 4,
  STASIS_DOMAIN_SHUTOFF = 5,
  STASIS_DOMAIN_CRASHED = 6,
  STASIS_DOMAIN_PMSUSPENDED = 7,
} StasisDomainState;

/* The name for people, as virsh prints it: "running", "shut off" ... */
const char *stasis_domain_state_to_string (StasisDomainState state);

typedef enum /*< flags >*/
{
  STASIS_XML_NONE = 0,
  STASIS_XML_SECURE = 1 << 0,     /* with passwords */
  STASIS_XML_INACTIVE = 1 << 1,   /* as it will be at the next start */
  STASIS_XML_MIGRATABLE = 1 << 2, /* for another host */
} StasisXmlFlags;

typedef enum /*< flags >*/
{
  STASIS_START_NONE = 0,
  STASIS_START_PAUSED = 1 << 0,
  STASIS_START_FORCE_BOOT = 1 << 1, /* drop a managed save image, boot afresh */
} StasisStartFlags;

typedef enum /*< flags >*/
{
  STASIS_UNDEFINE_NONE = 0,
  STASIS_UNDEFINE_MANAGED_SAVE = 1 << 0, /* drop its managed save image as well */
  STASIS_UNDEFINE_NVRAM = 1 << 1,        /* drop its NVRAM file as well */
  STASIS_UNDEFINE_KEEP_NVRAM = 1 << 2,
} StasisUndefineFlags;

typedef enum /*< flags >*/
{
  STASIS_SAVE_NONE = 0,
  STASIS_SAVE_BYPASS_CACHE = 1 << 0, /* accepted for virsh's sake: direct I/O is chosen anyway */
  STASIS_SAVE_RUNNING = 1 << 1,      /* the image says: resume running */
  STASIS_SAVE_PAUSED = 1 << 2,       /* the image says: resume paused */
  STASIS_SAVE_LIVE = 1 << 3,         /* pause the guest only once little of its memory is left */
  STASIS_SAVE_KEEP_RUNNING = 1 << 4, /* a checkpoint: the guest goes on; implies LIVE */
  STASIS_SAVE_INCREMENTAL = 1 << 7,  /* only what differs from a base */
  STASIS_SAVE_NO_DISKS
  = 1 << 5,                     /* KEEP_RUNNING: the disks are not kept as they are in its moment */
  STASIS_SAVE_QUIESCE = 1 << 6, /* freeze the guest's file systems through its agent before */
  STASIS_SAVE_TRACK = 1 << 8,   /* KEEP_RUNNING: and know what it writes to from then on */
  STASIS_SAVE_STILL = 1 << 9,   /* pause the guest before its memory is copied, not after */
} StasisSaveFlags;

typedef enum /*< flags >*/
{
  STASIS_RESTORE_NONE = 0,
  STASIS_RESTORE_BYPASS_CACHE = 1 << 0,
  STASIS_RESTORE_RUNNING = 1 << 1,
  STASIS_RESTORE_PAUSED = 1 << 2,
  STASIS_RESTORE_FORCE = 1 << 3, /* although a disk has changed or the image was resumed before */
  STASIS_RESTORE_TRUST = 1 << 4, /* although the image belongs to somebody else */
  STASIS_RESTORE_PARALLEL = 1 << 5,    /* load the guest's memory also where it could be mapped */
  STASIS_RESTORE_VERIFY_FULL = 1 << 6, /* before the guest runs, even if it was before */
  STASIS_RESTORE_VERIFY_BACKGROUND = 1 << 7, /* while it runs; memory that is not mapped: before */
  STASIS_RESTORE_VERIFY_NONE = 1 << 8,       /* not the pages of memory */
  STASIS_RESTORE_FLAT = 1 << 9, /* make a flat file of the memory where QEMU maps only that */
} StasisRestoreFlags;

typedef enum /*< flags >*/
{
  STASIS_DESTROY_NONE = 0,
  STASIS_DESTROY_GRACEFUL = 1 << 0, /* SIGTERM only; fail where QEMU does not end */
} StasisDestroyFlags;

typedef enum /*< flags >*/
{
  STASIS_DETACH_NONE = 0,
  STASIS_DETACH_FORCE = 1 << 0, /* although there is not enough memory */
} StasisDetachFlags;

typedef enum /*< flags >*/
{
  STASIS_SET_TIME_NONE = 0,
  STASIS_SET_TIME_NOW = 1 << 0,      /* to the host's, instead of the given time */
  STASIS_SET_TIME_FROM_RTC = 1 << 1, /* to that of the guest's hardware clock, instead */
  STASIS_SET_TIME_WAIT = 1 << 2,     /* wait some seconds for an agent that is not there yet */
} StasisSetTimeFlags;

typedef enum /*< flags >*/
{
  STASIS_MONITOR_COMMAND_NONE = 0,
  STASIS_MONITOR_COMMAND_HMP = 1 << 0, /* a line for the human monitor */
} StasisMonitorCommandFlags;

/* What it is. */
const char *stasis_domain_get_name (StasisDomain *self);
const char *stasis_domain_get_uuid (StasisDomain *self); /* as text */
int stasis_domain_get_id (StasisDomain *self);           /* -1 where it does not run */
gboolean stasis_domain_is_persistent (StasisDomain *self);
gboolean stasis_domain_get_state (StasisDomain *self, StasisDomainState *out_state,
                                  const char **out_reason, GError **error);

/**
 * StasisDomainInfo:
 *
 * What dominfo shows besides name, UUID, id and state.
 */
typedef struct
{
  guint64 max_memory_kib;
  guint64 memory_kib;
  guint vcpus;
  guint64 cpu_time_ns;   /* 0 where it does not run */
  gint64 pid;            /* of QEMU; 0 where it does not run */
  gint64 supervisor_pid; /* 0 where it does not run */
  gboolean has_managed_save;
  gboolean autostart;
} StasisDomainInfo;

gboolean stasis_domain_get_info (StasisDomain *self, StasisDomainInfo *out_info, GError **error);
char *stasis_domain_get_memory_image (StasisDomain *self, gboolean *out_is_there, GError **error);
/* (transfer full) (nullable): the flat file of that image that it is mapped from instead. */
char *stasis_domain_get_flat_file (StasisDomain *self, GError **error);

/**
 * StasisImageCheck:
 * @STASIS_IMAGE_CHECK_BEFORE: the image was verified before the guest ran
 * @STASIS_IMAGE_CHECK_GOES_ON: it is being verified while the guest runs
 * @STASIS_IMAGE_CHECK_GOOD: that is done, and it is as it was written
 * @STASIS_IMAGE_CHECK_DAMAGED: it is not, and the guest was paused
 * @STASIS_IMAGE_CHECK_UNKNOWN: it could not be verified
 * @STASIS_IMAGE_CHECK_NONE: nobody verifies it
 *
 * What is known of the image that a guest's memory is mapped from.
 */
typedef enum
{
  STASIS_IMAGE_CHECK_BEFORE,
  STASIS_IMAGE_CHECK_GOES_ON,
  STASIS_IMAGE_CHECK_GOOD,
  STASIS_IMAGE_CHECK_DAMAGED,
  STASIS_IMAGE_CHECK_UNKNOWN,
  STASIS_IMAGE_CHECK_NONE,
} StasisImageCheck;

StasisImageCheck stasis_domain_get_image_check (StasisDomain *self, char **out_message,
                                                GError **error);
char *stasis_domain_get_tracked_image (StasisDomain *self, GError **error);
char *stasis_domain_get_xml (StasisDomain *self, StasisXmlFlags flags, GError **error);
gboolean stasis_domain_get_autostart (StasisDomain *self, gboolean *out_autostart, GError **error);
gboolean stasis_domain_set_autostart (StasisDomain *self, gboolean autostart, GError **error);
/* The next time only. */
gboolean stasis_domain_get_autostart_once (StasisDomain *self, gboolean *out_autostart,
                                           GError **error);
gboolean stasis_domain_set_autostart_once (StasisDomain *self, gboolean autostart, GError **error);

/* Its life. */
gboolean stasis_domain_start (StasisDomain *self, StasisStartFlags flags,
                              StasisProgressFunc progress, gpointer user_data,
                              GCancellable *cancellable, GError **error);
gboolean stasis_domain_destroy (StasisDomain *self, StasisDestroyFlags flags, GError **error);
gboolean stasis_domain_shutdown (StasisDomain *self, GError **error); /* asks the guest (ACPI) */
gboolean stasis_domain_reboot (StasisDomain *self,
                               GError **error); /* asks the guest, then resets */
gboolean stasis_domain_reset (StasisDomain *self, GError **error);
gboolean stasis_domain_suspend (StasisDomain *self, GError **error);
gboolean stasis_domain_resume (StasisDomain *self, GError **error);
gboolean stasis_domain_undefine (StasisDomain *self, StasisUndefineFlags flags, GError **error);

/* (does not run): @self goes by the old name, and is good for nothing more. */
gboolean stasis_domain_rename (StasisDomain *self, const char *new_name, GError **error);

/* Its state.  @xml (nullable): a replacement definition of the same guest ABI. */
gboolean stasis_domain_save (StasisDomain *self, const char *path, const char *xml,
                             StasisSaveFlags flags, StasisProgressFunc progress, gpointer user_data,
                             GCancellable *cancellable, GError **error);
gboolean stasis_domain_managed_save (StasisDomain *self, StasisSaveFlags flags,
                                     StasisProgressFunc progress, gpointer user_data,
                                     GCancellable *cancellable, GError **error);
gboolean stasis_domain_managed_save_remove (StasisDomain *self, GError **error);
gboolean stasis_domain_detach_image (StasisDomain *self, StasisDetachFlags flags,
                                     StasisProgressFunc progress, gpointer user_data,
                                     GCancellable *cancellable, GError **error);
gboolean stasis_domain_untrack (StasisDomain *self, GError **error);
/* (transfer full) (nullable): where its managed save image lies, if it has one */
char *stasis_domain_get_managed_save_path (StasisDomain *self);

/* Its job.  @completed: the last one that ended, instead of the one that goes on. */
StasisJobStats *stasis_domain_get_job (StasisDomain *self, gboolean completed, GError **error);
gboolean stasis_domain_abort_job (StasisDomain *self, GError **error);

/* Its guest agent. */
gboolean stasis_domain_fs_freeze (StasisDomain *self, guint *out_count, GCancellable *cancellable,
                                  GError **error);
gboolean stasis_domain_fs_thaw (StasisDomain *self, guint *out_count, GCancellable *cancellable,
                                GError **error);
gboolean stasis_domain_get_time (StasisDomain *self, gint64 *out_ns, GCancellable *cancellable,
                                 GError **error);
gboolean stasis_domain_set_time (StasisDomain *self, gint64 ns, StasisSetTimeFlags flags,
                                 GCancellable *cancellable, GError **error);

/* Open a serial console (the first, or the one with alias @device): a descriptor of a terminal
 * or socket, which is the caller's.  -1 on failure.  @force: take it from who has it. */
int stasis_domain_open_console (StasisDomain *self, const char *device, gboolean force,
                                GError **error);

/* (transfer full): QEMU's reply to a command of its monitor, as JSON or (HMP) as text.  Unchecked:
 * for what Stasis itself cannot do or tell. */
char *stasis_domain_monitor_command (StasisDomain *self, const char *command,
                                     StasisMonitorCommandFlags flags, GCancellable *cancellable,
                                     GError **error);

#pragma GCC visibility pop

G_END_DECLS

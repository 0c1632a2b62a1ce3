/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process-maps.h: the mappings of another process
 */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* One line of /proc/PID/maps. */
typedef struct
{
  guint64 begin;
  guint64 end;
  guint64 offset; /* where it begins in its file */
  char mode[5];   /* "rw-p" */
  guint major;    /* the device as the kernel's own mount of it: of btrfs and overlayfs stat says */
  guint minor;    /* another */
  guint64 inode;  /* 0: anonymous */
} StasisMapping;

/* All of them, by address: (transfer full) of StasisMapping.  NULL where they cannot be read. */
GArray *stasis_process_maps_read (pid_t pid, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Those of the file behind @fd, whatever stat says of it. */
GArray *stasis_process_maps_of_file (pid_t pid, int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The file that the process has mapped there, where it has it open as well: a descriptor of our own
 * for reading, or -1. */
int stasis_process_maps_open_file (pid_t pid, const StasisMapping *mapping);

/* TRUE where what is written there stays the process's own: private, and writable. */
gboolean stasis_mapping_is_private (const StasisMapping *mapping);
/* TRUE where it is the file's. */
gboolean stasis_mapping_is_shared (const StasisMapping *mapping);

G_END_DECLS

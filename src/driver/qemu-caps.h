/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-caps.h: what an emulator can do
 */

#pragma once

#include <gio/gio.h>

#include "monitor/monitor.h"

G_BEGIN_DECLS

#define STASIS_QEMU_FILE_MEMORY "memory-backend-file"

typedef struct _StasisQemuCaps StasisQemuCaps;

/* Probe @emulator by QMP as user @uid (other than one's own: root only), or take the result of an
 * earlier probe of this very file (size, time, inode) from @cache_folder, which exists.  Immutable
 * and reference-counted. */
StasisQemuCaps *stasis_qemu_caps_load (const char *emulator, const char *cache_folder, guint32 uid,
                                       GCancellable *cancellable,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
StasisQemuCaps *stasis_qemu_caps_ref (StasisQemuCaps *caps);
void stasis_qemu_caps_unref (StasisQemuCaps *caps);

const char *stasis_qemu_caps_version (const StasisQemuCaps *caps); /* "10.0.2" */

/* The full name of a machine or alias (NULL or "": the default one); NULL where there is none. */
const char *stasis_qemu_caps_canonical_machine (const StasisQemuCaps *caps, const char *machine);

/* The name of the machine's RAM object, "pc.ram". */
const char *stasis_qemu_caps_ram_id (const StasisQemuCaps *caps, const char *machine);

/* All machines; *@out_alias (nullable) is its short name or NULL. */
guint stasis_qemu_caps_n_machines (const StasisQemuCaps *caps);
const char *stasis_qemu_caps_machine (const StasisQemuCaps *caps, guint index,
                                      const char **out_alias);

gboolean stasis_qemu_caps_has_device (const StasisQemuCaps *caps, const char *type);
/* A migration capability by QMP's name: "mapped-ram". */
gboolean stasis_qemu_caps_has_migration (const StasisQemuCaps *caps, const char *capability);
/* A property of objects of the one type that is asked about, STASIS_QEMU_FILE_MEMORY. */
gboolean stasis_qemu_caps_has_property (const StasisQemuCaps *caps, const char *type,
                                        const char *property);

/* Start @emulator with an empty @machine ("pc,accel=tcg") and have @func ask it; it has ended on
 * return. */
typedef void (*StasisQemuProbeFunc) (StasisMonitor *monitor, gpointer data);
gboolean stasis_qemu_caps_probe_machine (const char *emulator, guint32 uid, const char *machine,
                                         gint64 timeout_ms, StasisQemuProbeFunc func, gpointer data,
                                         GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisQemuCaps, stasis_qemu_caps_unref)

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h: the QEMU_FACTS record: which QEMU wrote the body, and in which state the guest was
 *
 * The members are listed in docs/save-image.md; the driver fills the object, this file knows
 * which members must be there.
 */

#pragma once

#include <glib.h>

#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_FACTS_EMULATOR         "emulator"
#define STASIS_IMAGE_FACTS_VERSION          "version"
#define STASIS_IMAGE_FACTS_MACHINE          "machine"
#define STASIS_IMAGE_FACTS_ACCELERATOR      "accelerator"
#define STASIS_IMAGE_FACTS_RUN_STATE        "run-state" /* "running" or "paused" */
#define STASIS_IMAGE_FACTS_RUN_STATE_REASON "run-state-reason"
#define STASIS_IMAGE_FACTS_CAPABILITIES     "capabilities"
#define STASIS_IMAGE_FACTS_ENGINE           "engine"
#define STASIS_IMAGE_FACTS_HOST             "host"
#define STASIS_IMAGE_FACTS_PACKAGE          "package"
#define STASIS_IMAGE_FACTS_CPU              "cpu"
#define STASIS_IMAGE_FACTS_RAM_BLOCKS       "ram-blocks"
#define STASIS_IMAGE_FACTS_FROZEN           "frozen"         /* true: to be thawed once it runs */
#define STASIS_IMAGE_FACTS_LIBVIRT_COOKIE   "libvirt-cookie" /* of what it was converted from */

/* TRUE where all mandatory members are there and of their type; else
 * STASIS_IMAGE_ERROR_INVALID. */
gboolean stasis_image_facts_check (const StasisJson *facts, GError **error);

/* A copy that says another run state. */
StasisJson *stasis_image_facts_with_run_state (const StasisJson *facts,
                                               gboolean running) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS

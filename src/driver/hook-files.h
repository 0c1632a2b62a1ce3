/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-files.h: which hooks there are
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* One program that is called. */
typedef struct
{
  char *path; /* (owned) */
  char *key;  /* (owned) what tells it from the others, fit for a part of a file name */
} StasisHookFile;

/* FOLDER/qemu, and then the programs in FOLDER/qemu.d by their names; what is no executable file is
 * left out.  Empty where there are none.  G_IO_ERROR_PERMISSION_DENIED where somebody else than
 * root and the caller could have put it there. */
GPtrArray *stasis_hook_files (const char *folder, GError **error);

G_END_DECLS

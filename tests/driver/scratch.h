/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scratch.h: a folder for one test, and what may lie in it
 */

#pragma once

#include <gio/gio.h>

#include "conf/domain-def.h"
#include "driver/paths.h"

G_BEGIN_DECLS

/* (transfer full): a new empty folder. */
char *scratch_new (void);
/* Remove it with all that is in it, and free its name. */
void scratch_remove (char *folder_take);

/* (transfer full): the path of a new file in it. */
char *scratch_file (const char *folder, const char *name, const void *octets, gsize size);
char *scratch_text (const char *folder, const char *name, const char *text);

/* (transfer full): a driver's folders inside; they do not exist. */
StasisPaths *scratch_paths (const char *folder);

/* (transfer full): a domain "web": <os OS_ATTRIBUTES>...OS_INSIDE</os>REST. */
StasisDomainDef *scratch_domain (const char *machine, const char *os_attributes,
                                 const char *os_inside, const char *rest);

/* TRUE, and the whole program of tests skipped, where pidfds are missing: valgrind 3.19 does not
 * know them. */
gboolean scratch_skip_without_pidfds (void);

/* It looks after descriptors itself: of one that is over the limit it closes what had come. */
gboolean scratch_is_in_valgrind (void);

/* Run a program to its end; FALSE where it is not installed.  Its failure is the test's. */
gboolean scratch_run (const char *program, ...) G_GNUC_NULL_TERMINATED;

G_END_DECLS

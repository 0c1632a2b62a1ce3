/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conf-test.h: what the tests of src/conf share
 */

#pragma once

#include "conf/domain-def.h"

G_BEGIN_DECLS

/* A host with two machines and one network, "default". */
extern const StasisConfContext conf_test_context;

/* The text of tests/data/conf/@name. */
char *conf_test_read (const char *name);

/* Parse with that context; the test fails where it cannot be parsed. */
StasisDomainDef *conf_test_parse (const char *xml);

/* Add one test for each file of tests/data/conf/@folder whose name ends in @suffix; the test gets
 * the file's name without it, after the folder. */
void conf_test_add_files (const char *path, const char *folder, const char *suffix,
                          void (*test) (gconstpointer name));

G_END_DECLS

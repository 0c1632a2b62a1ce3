/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-fixture.h: definitions, capabilities and resources for tests of the command line
 */

#pragma once

#include "driver/command.h"

/* The file tests/data/driver/NAME.json, or the one with that absolute path. */
StasisQemuCaps *fixture_caps (const char *name);

/* A definition from a file, machine aliases as @caps has them. */
StasisDomainDef *fixture_definition (const char *path, const StasisQemuCaps *caps, GError **error);

/* All that @def needs, as if it were open: descriptors from 20, fd sets from 1.  Images with
 * "overlay" in their name rest on two others; only taps 0, 2, … get a vhost. */
GPtrArray *fixture_resources (const StasisDomainDef *def);

/* One option a line, its value behind it. */
char *fixture_format (char **argv);

/* (transfer full) of char *: full paths of the XML files in a folder of tests/data, sorted. */
GPtrArray *fixture_list (const char *folder);
